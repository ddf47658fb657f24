import assert from "node:assert/strict";
import { arrayText, described, fromDevice, toDevice } from "../../../runtime/host_form.ts";

Deno.test("toDevice() and fromDevice() are inverse for every type", () => {
  const cases = [
    ["f32", new Float32Array([1.5, -0, NaN]), 12],
    ["f16", new Float32Array([0.5, 65504, -2]), 8], // a whole number of words
    ["i32", new Int32Array([-1, 2 ** 31 - 1]), 8],
    ["u32", new Uint32Array([2 ** 32 - 1]), 4],
    ["bool", new Uint8Array([1, 0, 1, 1, 0]), 20], // a word each
  ] as const;
  for (const [dtype, array, bytes] of cases) {
    const device = toDevice(dtype, array);
    assert.equal(device.length, bytes, dtype);
    assert.deepEqual(fromDevice(dtype, device.slice(), array.length), array);
  }
});

Deno.test("toDevice() takes only the part that a view shows", () => {
  const whole = new Float32Array([1, 2, 3, 4]);
  assert.deepEqual(
    fromDevice("f32", toDevice("f32", whole.subarray(1, 3)).slice(), 2),
    new Float32Array([2, 3]),
  );
});

Deno.test("toDevice() takes shared memory", () => {
  const shared = new Float32Array(new SharedArrayBuffer(8));
  shared.set([5, 6]);
  assert(toDevice("f32", shared).buffer instanceof ArrayBuffer);
});

Deno.test("toDevice() makes every bool other than 0 a 1", () => {
  assert.deepEqual(
    new Uint32Array(toDevice("bool", new Uint8Array([0, 1, 255])).buffer),
    new Uint32Array([0, 1, 1]),
  );
});

Deno.test("described() and arrayText() speak of arrays alike", () => {
  assert.equal(arrayText("f32", 784), "a Float32Array of 784 elements");
  assert.equal(arrayText("u32", 1), "a Uint32Array of 1 element");
  assert.equal(described(new Int32Array(1)), "an Int32Array of 1 element");
  assert.equal(described([1, 2]), "an array of 2 elements; make it a typed array");
  assert.equal(described(undefined), "undefined");
  assert.equal(described(3), "a number");
  assert.equal(described(new Map()), "an object of class Map");
});
