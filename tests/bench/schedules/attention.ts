/**
 * The kernels of attention, forward and backward, and how fast they run.
 * @module
 */

import { type HostArray, hostArray } from "../../../compiler/graph/dtype.ts";
import { isProgram, type Op } from "../../../compiler/graph/op.ts";
import type { ScheduledKernel } from "../../../compiler/kernel/scheduled.ts";
import { type ConcreteType, type Reader } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import type { Writer } from "../../../compiler/kernel/program_op.ts";
import { softwareTarget as plainTarget, type Target } from "../../../compiler/target.ts";
import { attentionOp } from "../../../ops/nn/attention.ts";
import { attentionBackwardOp } from "../../../ops/nn/attention_backward.ts";
import type { AttentionAttrs } from "../../../ops/nn/attention_types.ts";
import { dense, numbersOf } from "../../unit/schedule/attention_support.ts";
import { irKernels } from "../../support/ir_kernels.ts";
import { named } from "../command.ts";
import { interleave } from "../interleave.ts";
import { DeviceMemory, openPlainDevice } from "./device_memory.ts";
import { ScheduledRuns } from "./scheduled_runs.ts";

interface Size {
  readonly name: string;
  /** Heads (batches included), positions, head size. */
  readonly heads: number;
  readonly positions: number;
  readonly head: number;
  readonly causal: boolean;
}

const sizes: readonly Size[] = [
  { name: "causal 8×1024×64", heads: 8, positions: 1024, head: 64, causal: true },
  { name: "full 8×512×64", heads: 8, positions: 512, head: 64, causal: false },
  { name: "GPT 32×64×32", heads: 32, positions: 64, head: 32, causal: true },
];

/** Lavapipe's subgroups have 8 lanes. */
const softwareTarget: Target = { ...plainTarget, broadcast: 8 };

/** The kernels of an op over dense buffers of the given names. */
function planNamed<A>(
  op: Op<A>,
  attrs: A,
  inputs: readonly (readonly [string, ConcreteType])[],
  outputs: readonly string[],
  target: Target,
): readonly ScheduledKernel[] {
  if (!isProgram(op.lower)) throw new Error(`${op.name} is no program`);
  const k = new Values();
  const place = (name: string, type: ConcreteType): Reader & Writer => {
    const { strides, size } = dense(name, type.shape);
    const buffer = { name, dtype: type.dtype, size };
    return { ...type, buffer, at: (index) => k.affine(index.map((x, i) => [x, strides[i]!] as const)) };
  };
  const readers = inputs.map(([name, type]): Reader => {
    const { buffer, at } = place(name, type);
    return { ...type, at: (index) => k.load(buffer, at(index)) };
  });
  const types = op.infer(inputs.map(([, type]) => type), attrs);
  const writers = types.map((t, i) => place(outputs[i]!, t as ConcreteType));
  return irKernels(op.lower.plan({
    attrs,
    inputs: readers,
    sideBySide: [],
    outputs: writers,
    values: k,
    target,
    label: op.name,
    scratch: (dtype, size) => ({ name: "scratch", dtype, size }),
  }));
}

/** Puts random operands into the memory, and gives the kernels of forward and backward over them. */
function prepare(memory: DeviceMemory, { heads, positions, head, causal }: Size, target: Target): {
  readonly forward: readonly ScheduledKernel[];
  readonly backward: readonly ScheduledKernel[];
} {
  const matrix: ConcreteType = { shape: [heads, positions, head], dtype: "f32" };
  const rows: ConcreteType = { shape: [heads, positions], dtype: "f32" };
  ["q", "k", "v", "g"].forEach((name, i) => {
    memory.put(name, Float32Array.from(numbersOf({ shape: matrix.shape, lo: -1, hi: 1 }, i)));
  });
  const size = heads * positions * head;
  for (const name of ["o", "dq", "dk", "dv"]) memory.put(name, new Float32Array(size));
  memory.put("lse", new Float32Array(heads * positions));
  const attrs: AttentionAttrs = { causal, scale: null };
  const qkv = ["q", "k", "v"].map((name) => [name, matrix] as const);
  const forward = planNamed(attentionOp, attrs, qkv, ["o", "lse"], target);
  const operands = [...qkv, ["o", matrix] as const, ["lse", rows] as const, ["g", matrix] as const];
  const backward = planNamed(attentionBackwardOp, attrs, operands, ["dq", "dk", "dv"], target);
  return { forward, backward };
}

/** The largest error of the first head, relative to its largest number. */
async function errorOf(memory: DeviceMemory, { positions, head, causal }: Size): Promise<number> {
  const attrs: AttentionAttrs = { causal, scale: null };
  const one: ConcreteType = { shape: [1, positions, head], dtype: "f32" };
  const rows: ConcreteType = { shape: [1, positions], dtype: "f32" };
  const of = async (name: string): Promise<HostArray> => {
    const out = hostArray("f32", positions * head);
    out.set(await memory.read(name, positions * head));
    return out;
  };
  const [q, k, v, g] = await Promise.all(["q", "k", "v", "g"].map(of)) as [
    HostArray,
    HostArray,
    HostArray,
    HostArray,
  ];
  const forward = attentionOp.reference([q, k, v], attrs, { inputs: [one, one, one], outputs: [one, rows] });
  const backward = attentionBackwardOp.reference([q, k, v, forward[0]!, forward[1]!, g], attrs, {
    inputs: [one, one, one, one, rows, one],
    outputs: [one, one, one],
  });
  let worst = 0;
  for (
    const [name, want] of [
      ["o", forward[0]!],
      ...["dq", "dk", "dv"].map((n, i) => [n, backward[i]!] as const),
    ] as const
  ) {
    const got = await of(name);
    let largest = 0;
    let error = 0;
    want.forEach((x, i) => {
      largest = Math.max(largest, Math.abs(x));
      error = Math.max(error, Math.abs(x - got[i]!));
    });
    worst = Math.max(worst, error / largest);
  }
  return worst;
}

/** Prints lines for each size whose name contains one of the parts, or for all. */
export async function timeAttention(
  parts: readonly string[],
  { rounds, json }: { readonly rounds: number; readonly json: boolean },
): Promise<void> {
  const chosen = named(parts, sizes, "size");
  const device = await openPlainDevice();
  for (const size of chosen) {
    using memory = new DeviceMemory(device);
    const { forward, backward } = prepare(memory, size, softwareTarget);
    const parts = [
      { name: "forward", runs: new ScheduledRuns(memory, forward, softwareTarget) },
      ...backward.map((kernel) => ({
        name: kernel.label,
        runs: new ScheduledRuns(memory, [kernel], softwareTarget),
      })),
    ];
    const ms = await interleave(parts.map(({ runs }) => runs), rounds);
    const pairs = size.heads * size.positions ** 2 * size.head * (size.causal ? 1 : 2);
    const error = await errorOf(memory, size);
    if (json) {
      const timed = parts.map(({ name, runs }, i) => ({ name, ms: ms[i]!, first: runs.first }));
      console.log(JSON.stringify({ size: size.name, kernels: timed, error }));
      continue;
    }
    parts.forEach(({ name, runs }, i) => {
      const products = [2, 3, 4][i]!;
      console.log(
        `${size.name.padEnd(18)} ${name.padEnd(26)} ${ms[i]!.toFixed(2)} ms  ` +
          `${(products * pairs / ms[i]! / 1e6).toFixed(1)} GFLOP/s  first ${runs.first.toFixed(0)} ms`,
      );
    });
    console.log(`${size.name.padEnd(18)} largest relative error ${error.toExponential(1)}`);
  }
}
