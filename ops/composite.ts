import { ShapeError } from "../compiler/errors.ts";
import { GraphBuilder } from "../compiler/graph/build.ts";

/**
 * A function over ops that counts as one thing: its nodes lie in a scope of its name, and come from the line that
 * called it.
 */
export function composite<T>(name: string, f: () => T): T {
  const builder = GraphBuilder.current(name);
  // A layer is named like the function it calls: one name is enough.
  const inside = builder.scope.split("/").at(-1)!.replace(/_\d+$/, "") === name;
  return builder.fromHere(() => {
    try {
      return inside ? f() : builder.within(name, f);
    } catch (error) {
      throw error instanceof ShapeError ? inTheNameOf(name, error) : error;
    }
  });
}

/** What an op inside says, in the name of the function that the user called. */
function inTheNameOf(name: string, error: ShapeError): ShapeError {
  if (error.what.startsWith(`${name}:`)) return error;
  const what = error.what.replace(/^\w+, in /, "");
  return new ShapeError(`${name}, in ${what}`, { origin: error.origin });
}
