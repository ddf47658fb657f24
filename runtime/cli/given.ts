/**
 * What a call names: whatever is wrong with it is the call's fault.
 * @module
 */

import { WeftError } from "../../compiler/errors.ts";
import { BundleError } from "../../compiler/bundle/loader/public.ts";
import { UsageError } from "./usage_error.ts";

/**
 * Does something with what a call named, such as reading its file.
 *
 * @param option What to begin the message with, such as `--state x.safetensors`; "" where it names the file itself.
 * @throws UsageError in place of any error in words.
 */
export async function given<T>(option: string, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof WeftError || error instanceof BundleError)) throw error;
    const what = error instanceof WeftError ? error.what : error.message;
    throw new UsageError(option === "" ? what : `${option}: ${what}`, { cause: error });
  }
}
