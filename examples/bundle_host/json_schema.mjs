// deno-lint-ignore-file explicit-module-boundary-types -- plain JavaScript, for Node
/** The part of JSON Schema that the manifest's schema is written in. */

export class HostError extends Error {}
export const need = (holds, message) => {
  if (!holds) throw new HostError(message);
};

/** Throws where a value is not as a schema says. `root` is the schema that references are looked up in. */
export function validate(root, schema, value, path = "manifest") {
  if (schema.$ref) validate(root, root.$defs[schema.$ref.replace("#/$defs/", "")], value, path);
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  const typed = { integer: Number.isInteger(value), [kind]: true };
  need(!schema.type || typed[schema.type], `${path} is no ${schema.type}`);
  need(!("const" in schema) || value === schema.const, `${path} is not ${schema.const}`);
  need(!schema.enum || schema.enum.includes(value), `${path} is none of ${schema.enum}`);
  if (schema.anyOf) {
    const fits = schema.anyOf.some((one) => {
      try {
        validate(root, one, value, path);
        return true;
      } catch (error) {
        if (error instanceof HostError) return false;
        throw error;
      }
    });
    need(fits, `${path} is none of what it may be`);
  }
  if (kind === "number") {
    need(!(value < schema.minimum) && !(value > schema.maximum), `${path} is out of range`);
    need(
      !schema.multipleOf || value % schema.multipleOf === 0,
      `${path} is no multiple of ${schema.multipleOf}`,
    );
  }
  if (kind === "string") {
    need(
      !(value.length < schema.minLength) && !(value.length > schema.maxLength),
      `${path} has a wrong length`,
    );
    need(!schema.pattern || new RegExp(schema.pattern, "u").test(value), `${path} is malformed`);
  }
  if (kind === "array") {
    need(
      !(value.length < schema.minItems) && !(value.length > schema.maxItems),
      `${path} has a wrong length`,
    );
    if (schema.items) value.forEach((item, i) => validate(root, schema.items, item, `${path}/${i}`));
  }
  if (kind === "object") {
    for (const name of schema.required ?? []) need(Object.hasOwn(value, name), `${path} lacks ${name}`);
    for (const [name, item] of Object.entries(value)) {
      if (schema.propertyNames) validate(root, schema.propertyNames, name, `${path}/${name}`);
      const own = schema.properties && Object.hasOwn(schema.properties, name);
      const rule = own ? schema.properties[name] : schema.additionalProperties ?? true;
      need(rule !== false, `${path} has ${name}, which nobody knows`);
      if (rule !== true) validate(root, rule, item, `${path}/${name}`);
    }
  }
}

/** JSON, or a HostError. */
export function parse(bytes, what) {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new HostError(`${what} is not JSON`);
  }
}
