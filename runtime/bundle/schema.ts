/**
 * The published schema of bundles, asked of what comes from anywhere.
 * @module
 */

import { Ajv2020 } from "ajv/dist/2020.js";
import schema from "../../compiler/bundle/manifest.schema.json" with { type: "json" };

const ajv = new Ajv2020({ allErrors: false, strict: true, strictTuples: false });
const forms = {
  manifest: ajv.compile(schema),
  selfTest: ajv.compile({ $ref: `${schema.$id}#/$defs/selfTest` }),
};

/** What keeps a JSON value from being what the schema says; undefined where nothing does. */
function complaintOf(form: keyof typeof forms, value: unknown): string | undefined {
  const matches = forms[form];
  if (matches(value)) return undefined;
  const { instancePath = "", message = "" } = matches.errors?.[0] ?? {};
  return `${instancePath || "it"} ${message}`;
}

/** A file's JSON, of the form that the schema asks for; `fail` throws what it is instead. */
export function parseBySchema(
  form: keyof typeof forms,
  text: string,
  fail: (message: string) => never,
): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return fail("it is not JSON");
  }
  const complaint = complaintOf(form, parsed);
  return complaint === undefined ? parsed : fail(complaint);
}
