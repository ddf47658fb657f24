/** NumPy's files. */

import assert from "node:assert/strict";
import { encodeNpy, npyAs, parseNpy } from "../../../runtime/npy.ts";
import { stored } from "../../support/stored.ts";

Deno.test("what is written is read again, for every type and rank", () => {
  for (const dtype of ["f32", "f16", "i32", "u32", "bool"] as const) {
    for (const shape of [[], [3], [2, 3], [0, 4], [1, 2, 3, 4]]) {
      const count = shape.reduce((n, d) => n * d, 1);
      const data = stored(dtype, Array.from({ length: count }, (_, i) => i % 2));
      const bytes = encodeNpy(dtype, shape, data);
      assert.equal((bytes.length - data.byteLength) % 64, 0);
      const read = parseNpy(bytes, "x.npy");
      assert.deepEqual(read.shape, shape);
      assert.deepEqual(npyAs(read, dtype, "x.npy"), data);
    }
  }
});

Deno.test("bytes are as NumPy writes them", () => {
  // numpy.save of numpy.array([1.5, -2], dtype="<f4")
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".padEnd(117) + "\n";
  const wanted = [
    ...[0x93].concat([..."NUMPY"].map((c) => c.charCodeAt(0))),
    1,
    0,
    118,
    0,
    ...new TextEncoder().encode(header),
    0,
    0,
    0xc0,
    0x3f,
    0,
    0,
    0,
    0xc0,
  ];
  assert.deepEqual([...encodeNpy("f32", [2], Float32Array.of(1.5, -2))], wanted);
});

/** A file with this header and these bytes behind it. */
function file(header: string, data: ArrayBufferLike, version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const length = version === 1
    ? [text.length & 255, text.length >> 8]
    : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, 78, 85, 77, 80, 89, version, 0, ...length, ...text, ...new Uint8Array(data)]);
}

Deno.test("other types are read where nothing is lost, and refused where something would be", () => {
  const longs = parseNpy(
    file("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", BigInt64Array.of(3n, -4n).buffer, 2),
    "x",
  );
  assert.deepEqual(npyAs(longs, "i32", "x"), Int32Array.of(3, -4));
  assert.throws(() => npyAs(longs, "u32", "x"), {
    message: /x \(<i8\) holds -4 at element 1, and its input is u32/,
  });
  const doubles = parseNpy(
    file("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}", Float64Array.of(0.1, 2).buffer),
    "x",
  );
  for (const dtype of ["f32", "f16"] as const) {
    assert.throws(() => npyAs(doubles, dtype, "x.npy"), {
      message: new RegExp(
        `x\\.npy is float64 \\(<f8\\), and its input is ${dtype}: save it as float32, .*x\\.astype\\("float32"\\)`,
      ),
    });
  }
  assert.deepEqual(npyAs(longs, "f32", "x"), Float32Array.of(3, -4));
  const beyond = { ...longs, data: BigInt64Array.of(2n ** 24n, 2n ** 53n + 1n) };
  assert.throws(() => npyAs(beyond, "f32", "x.npy"), {
    message: /x\.npy \(<i8\) holds 9007199254740993 at element 1, which f32 can't, .*astype\("float32"\)/,
  });
  assert.throws(() => npyAs(doubles, "i32", "x"), { message: /holds 0\.1 at element 0/ });
  assert.throws(() => npyAs(parseNpy(encodeNpy("i32", [1], Int32Array.of(2)), "x"), "bool", "x"), {
    message: /holds 2/,
  });
});

Deno.test("what is no such file is refused by a sentence", () => {
  const good = encodeNpy("f32", [2], Float32Array.of(1, 2));
  const refused = (bytes: Uint8Array<ArrayBuffer>, message: RegExp) =>
    assert.throws(() => parseNpy(bytes, "x.npy"), { name: "RunError", message });
  refused(new Uint8Array(3), /does not begin with NumPy's mark/);
  refused(good.slice(0, 40), /it is cut off/);
  refused(good.slice(0, -1), /has 8 bytes, and it has 7/);
  refused(
    file("{'descr': '>f4', 'fortran_order': False, 'shape': (0,)}", new ArrayBuffer(0)),
    /its type is >f4/,
  );
  refused(
    file("{'descr': '<f4', 'fortran_order': True, 'shape': (0,)}", new ArrayBuffer(0)),
    /Fortran's order/,
  );
  refused(
    file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,)}", new ArrayBuffer(0)),
    /has 399999999996 bytes, and it has 0/,
  );
  refused(file("nothing", new ArrayBuffer(0)), /its header is no description/);
});
