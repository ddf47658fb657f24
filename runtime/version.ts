/**
 * Which Weft this is.
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** As published, such as `0.1.0`. */
export const version: string = config.version;
