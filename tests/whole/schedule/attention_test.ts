import assert from "node:assert/strict";
import type { HostArray } from "../../../compiler/graph/dtype.ts";
import type { SampleInput } from "../../../compiler/graph/op.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import type { ConcreteType } from "../../../compiler/kernel/value.ts";
import { workOf } from "../../../compiler/schedule/attention/tile.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { attentionOp } from "../../../ops/nn/attention.ts";
import { attentionBackwardOp } from "../../../ops/nn/attention_backward.ts";
import type { AttentionAttrs } from "../../../ops/nn/attention_types.ts";
import {
  type Case,
  caseOf,
  check,
  count,
  type Layout,
  numbersOf,
  plan,
  run,
} from "../../unit/schedule/attention_support.ts";

const oneLane: Target = {
  ...testTarget,
  name: "one lane",
  lanes: { ...testTarget.lanes, map: 1, row: 1, contraction: 1 },
};
const handing: Target = { ...softwareTarget, name: "software, loads handed on", broadcast: 8 };
const targets: readonly Target[] = [testTarget, softwareTarget, handing, gpuTarget, oneLane];

const plain: AttentionAttrs = { causal: false, scale: null };
const causal: AttentionAttrs = { causal: true, scale: null };
const around0 = (shape: readonly number[]): SampleInput => ({ shape, lo: -1.5, hi: 1.5 });

const forward = (inputs: readonly SampleInput[], attrs: AttentionAttrs): Case<AttentionAttrs> =>
  caseOf(attentionOp, { inputs, attrs });

/** The backward case that goes with a forward one: what forward gives, and some cotangent. */
function backward(c: Case<AttentionAttrs>): Case<AttentionAttrs> {
  const [q, , v] = c.types;
  const out: ConcreteType = { shape: [...q!.shape.slice(0, -1), v!.shape.at(-1)!], dtype: "f32" };
  const lse: ConcreteType = { shape: q!.shape.slice(0, -1), dtype: "f32" };
  const given = attentionOp.reference(c.inputs, c.attrs, { inputs: c.types, outputs: [out, lse] });
  const [o, l] = given.map((x) => Float64Array.from(x, Math.fround)) as [HostArray, HostArray];
  const g = numbersOf(around0(out.shape), 7);
  const insert = <T>(list: readonly T[], ...more: T[]) => [...list.slice(0, 3), ...more, ...list.slice(3)];
  return {
    op: attentionBackwardOp,
    attrs: c.attrs,
    inputs: insert(c.inputs, o, l, g),
    types: insert(c.types, out, lse, out),
    ...c.layouts ? { layouts: insert(c.layouts, undefined, undefined, undefined) } : {},
  };
}

/** Both ways, on every target. */
function checkBoth(c: Case<AttentionAttrs>, slack = 1): void {
  for (const target of targets) {
    check(c, target, "javascript", slack);
    check(backward(c), target, "javascript", slack);
  }
}

/** Copies of a case's inputs, to be changed. */
function edited(c: Case<AttentionAttrs>, edit: (inputs: readonly HostArray[]) => void): Case<AttentionAttrs> {
  const inputs = c.inputs.map((x) => x.slice());
  edit(inputs);
  return { ...c, inputs };
}

for (const target of targets) {
  Deno.test(`attention equals its reference on ${target.name}`, () => {
    for (const sample of attentionOp.samples) {
      check(caseOf(attentionOp, sample), target, "javascript");
      check(caseOf(attentionOp, sample), target, "interpret");
    }
  });

  Deno.test(`attentionBackward equals its reference on ${target.name}`, () => {
    for (const sample of attentionBackwardOp.samples) {
      check(caseOf(attentionBackwardOp, sample), target, "javascript");
      check(caseOf(attentionBackwardOp, sample), target, "interpret");
    }
  });
}

Deno.test("attention takes lengths that are prime and longer than every other axis", () => {
  for (const attrs of [plain, causal]) {
    checkBoth(forward([around0([1, 67, 8]), around0([1, 131, 8]), around0([1, 131, 4])], attrs), 4);
  }
});

Deno.test("attention takes one query and many keys, which lanes share", () => {
  const c = forward([around0([1, 1, 8]), around0([1, 257, 8]), around0([1, 257, 8])], causal);
  for (const target of targets) check(c, target, "interpret");
  const [kernel] = plan(c, softwareTarget);
  assert.match(printKernel(kernel!.kernel), /^combine /m);
});

Deno.test("no buffer of attention has an element per pair", () => {
  const c = forward([around0([1, 1, 61, 4]), around0([1, 1, 67, 4]), around0([1, 1, 67, 4])], plain);
  for (const target of targets) {
    for (const kernel of [...plan(c, target), ...plan(backward(c), target)]) {
      for (const { size } of kernel.kernel.buffers) assert.ok(size < 61 * 67 / 4, `${kernel.label}: ${size}`);
    }
  }
});

Deno.test("attention is one kernel, its gradient two", () => {
  const heads = around0([2, 4, 33, 16]);
  for (const target of targets) {
    const c = forward([heads, heads, heads], causal);
    assert.equal(plan(c, target).length, 1);
    assert.equal(plan(backward(c), target).length, 2);
  }
});

Deno.test("a query that sees no key gives 0 and −∞, and no gradient", () => {
  const mask: SampleInput = {
    shape: [5, 7],
    dtype: "bool",
    values: Array.from({ length: 35 }, (_, i) => i >= 14 && i < 21 ? 0 : i % 3 === 0 ? 0 : 1),
  };
  const added: SampleInput = { shape: [5, 7], values: mask.values!.map((v) => v ? 0.25 : -Infinity) };
  for (const m of [mask, added]) {
    const c = forward([around0([2, 5, 4]), around0([2, 7, 4]), around0([2, 7, 4]), m], plain);
    checkBoth(c);
    const [out, lse] = run(c, softwareTarget, "javascript");
    assert.deepEqual([...out!.slice(8, 12)], [0, 0, 0, 0]);
    assert.equal(lse![2], -Infinity);
  }
});

Deno.test("a masked pair contributes nothing, whatever stands in v", () => {
  const c = forward([around0([1, 13, 4]), around0([1, 13, 4]), around0([1, 13, 4])], causal);
  // The last key is seen by the last query only.
  for (const poison of [Infinity, NaN]) {
    const poisoned = edited(c, ([, , v]) => v![12 * 4 + 1] = poison);
    checkBoth(poisoned);
    const [out] = run(poisoned, softwareTarget, "javascript");
    assert.ok(out!.subarray(0, 48).every(Number.isFinite));
    assert.ok(!Number.isFinite(out![12 * 4 + 1]!));
  }
});

Deno.test("a masked pair contributes nothing where lanes own several rows, forward and backward", () => {
  const [T, D] = [133, 4];
  const heads = around0([1, T, D]);
  const c = forward([heads, heads, heads], causal);
  const at = (T - 1) * D + 1;
  for (const poison of [Infinity, NaN]) {
    const poisoned = edited(c, ([, , v]) => v![at] = poison);
    checkBoth(poisoned, 4);
    const [out] = run(poisoned, softwareTarget, "javascript");
    assert.ok(out!.subarray(0, at - 1).every(Number.isFinite));
    // The first query meets only the first key, so what it holds reaches no other key's gradient.
    const unseen = backward(edited(c, ([q]) => q![1] = poison));
    for (const target of targets) {
      check(unseen, target, "javascript", 4);
      const [, dk] = run(unseen, target, "javascript");
      assert.ok(dk!.subarray(D).every(Number.isFinite), target.name);
    }
  }
});

Deno.test("rows that a last block meets behind its matrix, NaN of the next head's, contribute nothing", () => {
  const [T, D] = [67, 4];
  const heads = around0([2, T, D]);
  for (const attrs of [plain, causal]) {
    const c = edited(forward([heads, heads, heads], attrs), (inputs) => {
      for (const x of inputs) x.fill(NaN, T * D);
    });
    for (const target of [handing, gpuTarget]) {
      for (const one of [c, backward(c)]) {
        check(one, target, "javascript", 4);
        for (const result of run(one, target, "javascript")) {
          assert.ok(result.subarray(0, result.length / 2).every(Number.isFinite), target.name);
        }
      }
    }
  }
});

Deno.test("lanes own several rows on a software target, whether loads are handed on or not", () => {
  const heads = around0([4, 128, 8]);
  const c = forward([heads, heads, heads], causal);
  const groups = [softwareTarget, handing].map((target) => plan(c, target)[0]!.groups);
  assert.deepEqual(groups, [4 * 128 / (8 * 8), 4 * 128 / (8 * 8)]);
});

Deno.test("NaN and infinities reach the rows that see them, and no others", () => {
  const heads = around0([1, 11, 4]);
  const c = forward([heads, heads, heads], plain);
  const rows = (out: Float32Array) => Array.from({ length: 11 }, (_, i) => Number.isNaN(out[i * 4]!));
  for (const target of targets) {
    const nanQuery = edited(c, ([q]) => q![5 * 4] = NaN);
    check(nanQuery, target);
    assert.deepEqual(
      rows(run(nanQuery, target, "javascript")[0]!),
      rows(new Float32Array(44)).map((_, i) => i === 5),
    );
    check(edited(c, ([, k]) => k![3 * 4 + 2] = NaN), target);
    check(edited(c, ([, , v]) => v![3 * 4 + 2] = -Infinity), target);
    // ∞ − ∞ in the softmax of a score of +∞ is NaN; a score of −∞ is a masked pair.
    check(edited(c, ([q, k]) => (q!.fill(1), k![3 * 4 + 2] = Infinity)), target);
    check(edited(c, ([q, k]) => (q!.fill(1), k![3 * 4 + 2] = -Infinity)), target);
  }
});

Deno.test("attention keeps large scores apart", () => {
  const thousands = (x: HostArray) => x.forEach((v, i) => x[i] = Math.round(2 * v) * 1000);
  const heads = around0([2, 9, 4]);
  const c = edited(forward([heads, heads, heads], { causal: false, scale: 1 }), ([q, k]) => {
    thousands(q!);
    thousands(k!);
  });
  for (const target of targets) check(c, target);
});

Deno.test("attention reads slices of one packed buffer", () => {
  const [B, H, T, D] = [2, 3, 11, 4];
  const shape = [B, H, T, D];
  // [B, T, 3, H, D], read as [B, H, T, D].
  const part = (n: number): Layout => ({
    buffer: "qkv",
    strides: [T * 3 * H * D, D, 3 * H * D, 1],
    offset: n * H * D,
    size: B * T * 3 * H * D,
  });
  const c = { ...forward([shape, shape, shape].map(around0), causal), layouts: [part(0), part(1), part(2)] };
  checkBoth(c);
  for (const kernel of plan(c, softwareTarget)) assert.equal(kernel.buffers.length, 3);
});

Deno.test("attention reads matrices whose head axis is not contiguous", () => {
  const transposed = (name: string, T: number): Layout => ({
    buffer: name,
    strides: [T * 4, 1, T],
    offset: 0,
    size: 2 * T * 4,
  });
  const c = {
    ...forward([around0([2, 7, 4]), around0([2, 11, 4]), around0([2, 11, 4])], plain),
    layouts: [transposed("q", 7), transposed("k", 11), transposed("v", 11)],
  };
  checkBoth(c);
});

Deno.test("attention takes axes of size 0 and 1", () => {
  const shapes: readonly (readonly (readonly number[])[])[] = [
    [[1, 5, 4], [1, 0, 4], [1, 0, 4]],
    [[1, 5, 0], [1, 7, 0], [1, 7, 3]],
    [[1, 5, 3], [1, 7, 3], [1, 7, 0]],
    [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    [[3, 2, 1], [3, 5, 1], [3, 5, 1]],
  ];
  for (const [q, k, v] of shapes) {
    const c = forward([around0(q!), around0(k!), around0(v!)], plain);
    for (const target of targets) check(c, target);
    if (count(k!) > 0 && count(v!) > 0) checkBoth(c);
  }
  const empty = forward([around0([2, 0, 4]), around0([2, 3, 4]), around0([2, 3, 4])], plain);
  assert.equal(plan(empty, softwareTarget).length, 0);
});

Deno.test("attention on small targets stays within their statements", () => {
  for (const target of [testTarget, oneLane]) {
    for (const sample of attentionOp.samples) {
      for (const kernel of plan(caseOf(attentionOp, sample), target)) {
        assert.ok(workOf(kernel.kernel) <= target.statements, `${workOf(kernel.kernel)} on ${target.name}`);
      }
    }
  }
});
