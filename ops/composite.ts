import { GraphBuilder } from "../compiler/graph/build.ts";

/**
 * A function over ops that counts as one thing: its nodes lie in a scope of its name, and come from the line that
 * called it.
 */
export function composite<T>(name: string, f: () => T): T {
  const builder = GraphBuilder.current(name);
  // A layer is named like the function it calls: one name is enough.
  const inside = builder.scope.split("/").at(-1)!.replace(/_\d+$/, "") === name;
  return builder.fromHere(() => inside ? f() : builder.within(name, f));
}
