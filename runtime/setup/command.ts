/**
 * Running a system command whose output only matters when it fails.
 * @module
 */

/** The command's standard output. Throws with the end of what it printed where it exits other than 0. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  console.error(`  ${program} ${args.join(" ")}`);
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    // Package scripts must not wait for answers, and what is parsed here must not be translated.
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const output = new TextDecoder().decode(stdout);
  if (code === 0) return output;
  const said = `${output}\n${new TextDecoder().decode(stderr)}`.trim().split("\n").slice(-15).join("\n");
  throw new Error(`${program} ${args.join(" ")} failed with exit code ${code}:\n${said}`);
}
