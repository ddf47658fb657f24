/**
 * How thorough a test run is.
 * @module
 */

/** Whether this run may take tens of minutes, as `deno task test:long` may: more random cases, larger sizes. */
export const LONG: boolean = Deno.args.includes("--long");
