/**
 * A bundle's `selftest.json`, which comes from anywhere: that it feeds the inputs that the manifest has, and compares
 * only elements that there are, of tensors that the manifest states a tolerance for.
 * @module
 */

import type { ExpectedTensor, Manifest, SelfTest } from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";
import { bindDim } from "../../compiler/graph/dim.ts";
import { parseBySchema } from "./schema.ts";

/** @param manifest That was checked. @throws RunError that says what does not hold. */
export function parseSelfTest(text: string, manifest: Manifest, where: string): SelfTest {
  const fail = (message: string): never => {
    throw new RunError(`${where}: ${message}.`);
  };
  const test = parseBySchema("selfTest", text, fail) as SelfTest;
  const { sizes, inputs, outputs, state } = manifest;
  const size = sizes[test.program] ?? fail(`it is for choice ${test.program} of ${sizes.length} sizes`);
  const elementsOf = (shape: readonly (number | string)[]) =>
    shape.reduce<number>((n, dim) => n * Number(bindDim(dim, size)), 1);
  for (const { name, shape } of inputs) {
    const given = Object.hasOwn(test.inputs, name) ? test.inputs[name]!.length : "no";
    if (given !== elementsOf(shape)) {
      fail(`it has ${given} elements for the input ${JSON.stringify(name)} of ${elementsOf(shape)}`);
    }
  }
  const extra = Object.keys(test.inputs).find((name) => !inputs.some((input) => input.name === name));
  if (extra !== undefined) fail(`it has ${JSON.stringify(extra)}, which is no input`);
  const checkExpected = (what: string, list: readonly ExpectedTensor[], tensors: typeof outputs) => {
    for (const { name, indices, values } of list) {
      const tensor = tensors.find((tensor) => tensor.name === name);
      const shown = `the ${what} ${JSON.stringify(name)}`;
      if (!tensor) return fail(`${shown} is not there`);
      if (!tensor.tolerance) fail(`it compares ${shown}, and the manifest states no tolerance`);
      if (indices.length !== values.length) {
        fail(`${shown} has ${values.length} values for ${indices.length} indices`);
      }
      const elements = elementsOf(tensor.shape);
      const outside = indices.find((index) => index >= elements);
      if (outside !== undefined) {
        fail(`${shown} has ${elements} elements, and element ${outside} is compared`);
      }
    }
  };
  checkExpected("output", test.outputs, outputs);
  checkExpected("state", test.state, state);
  return test;
}
