import { GraphBuilder } from "../compiler/graph/build.ts";

/**
 * A function over ops that counts as one thing: its nodes lie in a scope of its name, and come from the line that
 * called it.
 */
export function composite<T>(name: string, f: () => T): T {
  const builder = GraphBuilder.current(name);
  return builder.fromHere(() => builder.within(name, f));
}
