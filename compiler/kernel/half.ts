/**
 * Arithmetic of halves (SEMANTICS §6, `arithmetic: "f16"`): the result of each op on f16 is rounded to a half.
 *
 * What is meant is an f32 rounded once. Where that is the same as computing in f16, it is computed in f16: sums,
 * differences and products, since a float with at least 2·11 + 2 bits holds enough of them that rounding twice is rounding
 * once (Figueroa 1995, "When is double rounding innocuous?"); choices, signs and whole numbers, since nothing is rounded.
 * Quotients are not among them, because WGSL allows those an error of 2.5 ULP (§15.7.4.1). So the numbers do not depend on
 * which operations of an expression are narrow. Reductions stay f32: their elements are widened on the way in, and their
 * result is rounded by what uses it.
 */

import type { BinaryOp, UnaryOp, Value } from "./value.ts";
import type { Values } from "./values.ts";

const narrowUnary: ReadonlySet<UnaryOp> = new Set<UnaryOp>(["neg", "abs", "floor", "ceil", "round", "trunc"]);
const narrowBinary: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["add", "sub", "mul", "max", "min"]);

/** An f32 value rounded to a half, as an f32 again. */
export function roundedToHalf(k: Values, value: Value): Value {
  if (value.type !== "f32" || value.kind === "reduce" || value.kind === "prefix") return value;
  return asHalf(k, value) ? value : k.cast("f32", narrow(k, value));
}

/** The value rounded, in f16: one operation in f16 if that gives the same, else a conversion. */
function narrow(k: Values, value: Value): Value {
  switch (value.kind) {
    case "unary": {
      const arg = narrowUnary.has(value.op) ? asHalf(k, value.arg) : undefined;
      if (arg) return k.unary(value.op, arg);
      break;
    }
    case "binary": {
      if (!narrowBinary.has(value.op)) break;
      const [a, b] = [asHalf(k, value.a), asHalf(k, value.b)];
      if (a && b) return k.binary(value.op, a, b);
      break;
    }
    // Rounding goes into the branches: one that is a half already stays what it is.
    case "select":
      return k.select(value.condition, narrow(k, value.then), narrow(k, value.otherwise));
    case "guard":
      return k.guard(value.condition, narrow(k, value.value), narrow(k, value.otherwise));
  }
  return asHalf(k, value) ?? k.cast("f16", value);
}

/** The same number in f16, if it is one for certain. */
function asHalf(k: Values, value: Value): Value | undefined {
  switch (value.kind) {
    case "const":
      return Math.f16round(value.value) === value.value ? k.const(value.value, "f16") : undefined;
    case "load":
      return value.buffer.dtype === "f16" ? k.cast("f16", value) : undefined;
    case "cast":
      return value.arg.type === "f16"
        ? value.arg
        : value.arg.type === "bool"
        ? k.cast("f16", value.arg)
        : undefined;
    case "unary": {
      const arg = narrowUnary.has(value.op) ? asHalf(k, value.arg) : undefined;
      return arg && k.unary(value.op, arg);
    }
    case "select": {
      const [then, otherwise] = [asHalf(k, value.then), asHalf(k, value.otherwise)];
      return then && otherwise && k.select(value.condition, then, otherwise);
    }
    case "guard": {
      const [inside, outside] = [asHalf(k, value.value), asHalf(k, value.otherwise)];
      return inside && outside && k.guard(value.condition, inside, outside);
    }
    case "binary": {
      // One of its operands.
      if (value.op !== "max" && value.op !== "min") return undefined;
      const [a, b] = [asHalf(k, value.a), asHalf(k, value.b)];
      return a && b && k.binary(value.op, a, b);
    }
    default:
      return undefined;
  }
}
