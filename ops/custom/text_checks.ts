/**
 * What is looked for in a user's WGSL before any compiler sees it: names that cannot be, parts that Weft writes itself,
 * and what ends the process. Everything else naga and Tint say better (see runtime/engines/webgpu/raw_check.ts).
 *
 * Deno's compiler aborts the process, past any error handling, where a function is given a pointer to an element of an
 * array or to a field of a structure. So in a text that has pointer parameters, `&` may stand before whole variables
 * only. A call of an atomic function is no such case.
 */

import { rawNames } from "../../compiler/kernel/raw.ts";

/** The keywords of WGSL, and the types and literals that a declaration would hide. */
const keywords = new Set(
  ("alias array atomic bitcast bool break case const const_assert continue continuing default diagnostic discard else " +
    "enable f16 f32 false fn for i32 if let loop override ptr requires return struct switch true u32 var vec2 vec3 " +
    "vec4 while").split(" "),
);

/** Why a tensor or a size cannot be called this in WGSL; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === "_" || name.startsWith("__")) {
    return "is no WGSL name; names are letters, digits and _, and begin with no digit and no __";
  }
  if (keywords.has(name)) return "means something in WGSL; choose another name";
  if (rawNames.includes(name) || name.startsWith("weft_")) {
    return "is the name of something that Weft declares for every kernel; choose another name";
  }
  return undefined;
}

interface Rule {
  readonly found: RegExp;
  readonly because: string;
}

const everywhere: readonly Rule[] = [
  {
    found: /@(?:group|binding)\b|\bvar\s*<\s*(?:storage|uniform)\b/,
    because: "Weft declares the bindings: use the tensors by their names in `inputs` and `outputs`",
  },
  {
    found: /@(?:compute|workgroup_size)\b/,
    because: "Weft writes the entry point: give its statements as `wgsl`, and say `workgroupSize`",
  },
  {
    found: /\barrayLength\s*\(/,
    because: "tensors are arrays of a fixed size here: use the named sizes of the signature",
  },
  { found: /^\s*enable\b/m, because: "Weft enables f16 where the device has it; leave the line out" },
];

const inBody: readonly Rule[] = [
  ...everywhere,
  {
    found: /\bfn\b|\bstruct\b|\bvar\s*<\s*(?:workgroup|private)\b/,
    because:
      "`wgsl` is what stands inside the entry point: put functions, structures and variables of a workgroup " +
      "into `declarations`",
  },
];

export interface UserText {
  readonly wgsl: string;
  readonly declarations: string;
}

/** What is wrong with a text, as the end of a sentence; undefined where nothing is found. */
export function textProblem({ wgsl, declarations }: UserText): string | undefined {
  const [body, around] = [withoutComments(wgsl), withoutComments(declarations)];
  if (body.trim() === "") return "`wgsl` is empty; it is the statements that each invocation runs";
  const pointers = /\bptr\s*</.test(body + around);
  for (
    const [part, code, text, rules] of [
      ["wgsl", body, wgsl, inBody],
      ["declarations", around, declarations, everywhere],
    ] as const
  ) {
    for (const { found, because } of rules) {
      const at = code.search(found);
      if (at >= 0) return `${showLine(part, text, code, at)}: ${because}`;
    }
    const at = pointers ? partialPointer(code) : -1;
    if (at >= 0) {
      return `${
        showLine(part, text, code, at)
      }: Deno's WGSL compiler ends the process where a function is given a ` +
        "pointer to an element or a field. Point to the whole variable and pass an index, or return a value";
    }
  }
  return undefined;
}

/** The named sizes that a text reads as `sizes.n`. */
export function sizesRead({ wgsl, declarations }: UserText): ReadonlySet<string> {
  const code = withoutComments(declarations + "\n" + wgsl);
  return new Set([...code.matchAll(/\bsizes\s*\.\s*([A-Za-z_]\w*)/g)].map((m) => m[1]!));
}

/** Where `&` stands before a part of a variable, other than for an atomic function; -1 where nowhere. */
function partialPointer(code: string): number {
  for (const match of code.matchAll(/&/g)) {
    const before = code.slice(0, match.index).trimEnd();
    // After an operand it is an operator: a & b, a && b.
    if (/[\w)\]&]$/.test(before) && !/\breturn$/.test(before) || code[match.index + 1] === "&") continue;
    if (/\batomic\w+\s*\($/.test(before)) continue;
    if (!/^&\s*[A-Za-z_]\w*\s*(?:[^\w\s.[(]|$)/.test(code.slice(match.index))) return match.index;
  }
  return -1;
}

/** Comments as blanks: every other character stays where it is. WGSL's block comments nest. */
export function withoutComments(text: string): string {
  let out = "";
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    if (depth === 0 && two === "//") {
      while (i < text.length && text[i] !== "\n") (out += " ", i++);
      out += text[i] ?? "";
    } else if (two === "/*" || (depth > 0 && two === "*/")) {
      depth += two === "/*" ? 1 : -1;
      out += "  ";
      i++;
    } else out += depth > 0 && text[i] !== "\n" ? " " : text[i];
  }
  return out;
}

/** `line 3 of wgsl, "atomicAdd(…)"`. */
function showLine(part: string, text: string, code: string, at: number): string {
  // A rule may begin to match at blanks of the lines before.
  const begin = at + (code.slice(at).length - code.slice(at).trimStart().length);
  const line = text.slice(0, begin).split("\n").length;
  return `line ${line} of ${part}, "${text.split("\n")[line - 1]!.trim()}"`;
}
