/** The runtime's contract on the CPU; `tests/gpu/runtime_test.ts` holds the GPU to the same. */

import { openDevice } from "../../../runtime/device.ts";
import { testContract } from "../../support/runtime_contract.ts";

testContract("cpu", () => openDevice({ device: "cpu" }));
