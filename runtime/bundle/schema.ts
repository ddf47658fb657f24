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
export function complaintOf(form: keyof typeof forms, value: unknown): string | undefined {
  const matches = forms[form];
  if (matches(value)) return undefined;
  const { instancePath = "", message = "" } = matches.errors?.[0] ?? {};
  return `${instancePath || "it"} ${message}`;
}
