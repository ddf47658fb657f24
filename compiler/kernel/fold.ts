import { type Instr, literal } from "./ir.ts";
import type { BinaryOp } from "./value.ts";

/** What an operation on i32 is without being done: arithmetic on literals, and the neutral elements; undefined where it must be. */
export function foldIntegers(op: BinaryOp, a: Instr, b: Instr): Instr | undefined {
  if (a.type.scalar !== "i32") return undefined;
  const x = a.kind === "literal" ? a.value : undefined;
  const y = b.kind === "literal" ? b.value : undefined;
  if (x !== undefined && y !== undefined) {
    switch (op) {
      case "add":
        return literal("i32", x + y);
      case "sub":
        return literal("i32", x - y);
      case "mul":
        return literal("i32", Math.imul(x, y));
      case "div":
        return y !== 0 ? literal("i32", Math.trunc(x / y)) : undefined;
      case "rem":
        return y !== 0 ? literal("i32", x % y) : undefined;
      case "max":
        return literal("i32", Math.max(x, y));
      case "min":
        return literal("i32", Math.min(x, y));
      case "lt":
        return literal("bool", x < y ? 1 : 0);
      case "le":
        return literal("bool", x <= y ? 1 : 0);
      case "eq":
        return literal("bool", x === y ? 1 : 0);
      default:
        return undefined;
    }
  }
  if (y === 0 && (op === "add" || op === "sub")) return a;
  if (x === 0 && op === "add") return b;
  if (y === 1 && (op === "mul" || op === "div")) return a;
  if (x === 1 && op === "mul") return b;
  if ((x === 0 || y === 0) && op === "mul") return literal("i32", 0);
  if (y === 1 && op === "rem") return literal("i32", 0);
  return undefined;
}
