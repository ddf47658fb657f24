/** The examples in the documentation of everything but the ops. */

import { testExamples } from "../support/doc_examples.ts";

testExamples("mod.ts", "cli.ts", "compiler", "runtime", "tests/support");
