/**
 * What every device promises of states, as tests that run on any of them: reading, writing, files, and what outlives what.
 * @module
 */

import assert from "node:assert/strict";
import type { Program } from "../../compiler/program/program.ts";
import { load } from "../../runtime/executable.ts";
import { writeSafetensors } from "../../runtime/safetensors.ts";
import {
  type By,
  by,
  type ContractTest,
  type Count,
  loadCounter,
  refuses,
  rejects,
} from "./contract_programs.ts";
import { safetensorsFile } from "./files.ts";
import { affine, counter, swap } from "./tiny_programs.ts";

export const STATE_CONTRACT: Readonly<Record<string, ContractTest>> = {
  "state.write() changes one state, and refuses what doesn't fit": async (device) => {
    using executable = await loadCounter(device);
    executable.state.write("count", new Int32Array([9]));
    assert.equal(await executable.run(by(1)).count.item(), 10);
    refuses(() => executable.state.write("count", new Int32Array(2)), /wants an Int32Array of 1 element,/);
    refuses(() => executable.state.write("cuont", new Int32Array(1)), /no state "cuont"; there are "count"/);
    assert.deepEqual(executable.state.names, ["count"]);
    assert.deepEqual(executable.state.type("count"), { shape: [], dtype: "i32", role: "parameter" });
  },

  "state.read() sees the state as it was at the call": async (device) => {
    using executable = await loadCounter(device);
    const before = executable.state.read("count");
    executable.run(by(1));
    const between = executable.state.read("count");
    executable.state.write("count", new Int32Array([100]));
    assert.deepEqual(await Promise.all([before, between]), [new Int32Array([0]), new Int32Array([1])]);
  },

  "state.save() and load() carry a state over, with metadata": async (device) => {
    using file = safetensorsFile();
    using first = await load(swap(), device, {
      state: (path) => new Float32Array(path === "a" ? [0, 0, 0] : [4, 5, 6]),
    });
    const saved = first.state.save(file.path, { step: "12" });
    first.run({}); // must not show in the file
    await saved;
    using second = await load(swap(), device);
    assert.deepEqual(await second.state.load(file.path), { step: "12" });
    assert.deepEqual([...await second.state.read("a")], [0, 0, 0]);
    assert.deepEqual([...await second.state.read("b")], [4, 5, 6]);
  },

  "state.load() changes nothing where one tensor doesn't fit": async (device) => {
    using file = safetensorsFile();
    const f32 = (name: string, shape: readonly number[]) => ({
      name,
      shape,
      dtype: "f32" as const,
      data: new Float32Array(shape.reduce((n, size) => n * size, 1)).fill(9),
    });
    using executable = await load(swap(), device, { state: () => new Float32Array([1, 2, 3]) });
    const unchanged = async () => {
      for (const name of ["a", "b"]) assert.deepEqual([...await executable.state.read(name)], [1, 2, 3]);
    };
    await writeSafetensors(file.path, [f32("a", [3]), f32("b", [4])]);
    await rejects(
      executable.state.load(file.path),
      /"b" is f32 of shape \[3\].*F32 of shape \[4\].*Nothing was changed/,
    );
    await unchanged();
    await writeSafetensors(file.path, [f32("a", [3])]);
    await rejects(executable.state.load(file.path), /lacks "b".*allowMissing/);
    await unchanged();
    await writeSafetensors(file.path, ["a", "b", "c"].map((name) => f32(name, [3])));
    await rejects(executable.state.load(file.path), /has "c", which the program doesn't.*allowExtra/);
    await unchanged();
    await writeSafetensors(file.path, [
      f32("a", [3]),
      { name: "b", shape: [3], dtype: "i32", data: new Int32Array(3) },
    ]);
    await rejects(executable.state.load(file.path), /I32/);
    await unchanged();
    await writeSafetensors(file.path, [f32("a", [3]), f32("c", [3])]);
    await executable.state.load(file.path, { allowMissing: true, allowExtra: true });
    assert.deepEqual([...await executable.state.read("a")], [9, 9, 9]);
    assert.deepEqual([...await executable.state.read("b")], [1, 2, 3]);
  },

  "state.copyFrom() takes over what two programs share": async (device) => {
    using first = await loadCounter(device, 7);
    using second = await load<By, Count>(counter(), device, { state: first.state });
    assert.equal(await second.run(by(1)).count.item(), 8);
    first.run(by(10));
    assert.equal(second.state.copyFrom(first.state), 1);
    assert.equal(await second.run(by(0)).count.item(), 17);
  },

  "load() refuses to start from a state that lacks parameters": async (device) => {
    using first = await loadCounter(device);
    await rejects(load(swap(), device, { state: first.state }), /lacks its parameters "a", "b"/);
  },

  "load() refuses an initial state that doesn't fit": async (device) => {
    await rejects(
      load(swap(), device, { state: () => new Float32Array(2) }),
      /"a" is f32 of shape \[3\] and wants a Float32Array of 3 elements, not a Float32Array of 2/,
    );
  },

  "load() refuses a program whose steps don't fit its arenas": async (device) => {
    const program = affine([4]);
    const broken: Program = { ...program, arenas: program.arenas.slice(0, 1) };
    await assert.rejects(load(broken, device), /"affine" binds arena 1, which there is not/);
  },

  "dispose() makes a program and its results unusable": async (device) => {
    const executable = await loadCounter(device);
    const { count } = executable.run(by(1));
    executable.dispose();
    executable.dispose();
    refuses(() => executable.run(by(1)), /was disposed/);
    refuses(() => executable.state.write("count", new Int32Array(1)), /was disposed/);
    await rejects(count.item(), /its program was disposed/);
  },

  "dispose() of a device ends everything on it": async (device) => {
    const executable = await loadCounter(device);
    const { count } = executable.run(by(1));
    device.dispose();
    device.dispose();
    refuses(() => executable.run(by(1)), /The device was disposed/);
    await rejects(count.item(), /The device was disposed/);
    await rejects(load(counter(), device), /The device was disposed/);
    executable.dispose();
  },
};
