/** A command was called wrongly: the message says how, and what to try. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
