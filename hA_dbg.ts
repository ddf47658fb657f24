import { compileGraph } from "./compiler/compile.ts";
import { openGrids } from "./compiler/bundle/open_grid.ts";
import { defaultLimits, gpuTarget, softwareTarget } from "./compiler/target.ts";
import { digits } from "./examples/pages/models.ts";
import { printKernel } from "./compiler/kernel/print.ts";
import { gpt } from "./examples/gpt.ts";
import { cnn, mlp } from "./tests/support/bundle_models.ts";
const words = gpt({ layers: 1, heads: 2, width: 32, context: 16, symbols: 65 }).only("logits").without("targets");
for (const [tn, target] of [["gpu", gpuTarget], ["sw", softwareTarget]] as const) for (const [n, net, batch] of [["digits", digits, 64], ["mlp", mlp, 64], ["gpt", words, 8], ["cnn", cnn, 16],["cnn7", cnn, 7],["mlp37", mlp, 37],["gpt7", words, 7]] as any) {
  const c = compileGraph(net.graph, { target: { ...target, limits: defaultLimits }, sizes: { batch } });
  const blocks = openGrids(c, new Set(c.program.inputs.map(({ name }) => name)), batch);
  console.log("==", tn, n, batch);
  c.kernels.forEach(({ label, groups, kernel }, i) => { console.log("  ", label, groups, "block", blocks[i]); if (Deno.args[0] && label.includes(Deno.args[0]) && tn === Deno.args[1] && n === Deno.args[2]) console.log(printKernel(kernel)); });
}
