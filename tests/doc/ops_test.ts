/** The examples in the documentation of the ops. */

import { testExamples } from "../support/doc_examples.ts";

testExamples("ops");
