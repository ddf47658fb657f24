/**
 * The runtime's contract on Dawn, Chromium's WebGPU: another validation, another shader compiler, and a `mapAsync` that
 * does nothing inside the call.
 */

import { create } from "webgpu";
import { openAdapter } from "../../runtime/adapter.ts";
import { openDevice } from "../../runtime/device.ts";
import { quirksOf } from "../../runtime/quirks.ts";
import { testContract } from "../support/runtime_contract.ts";

const gpu = create([]) as GPU; // must stay referenced while its devices live
const opened = await openAdapter({ gpu });
const quirks = await quirksOf(opened);
opened.device.destroy();

testContract("dawn", () => openDevice({ device: "webgpu", gpu, quirks }));
