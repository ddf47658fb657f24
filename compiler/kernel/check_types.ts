/** The typing rules of kernel IR. Which ops exist for which types is read off the tables that define them. */

import { valueType } from "./value.ts";
import type { BufferDecl, Computed, Instr, IrType } from "./ir.ts";
import { showType } from "./print.ts";
import { binaryMeaning, isComparison, unaryMeaning } from "./scalar.ts";

const same = (a: IrType, b: IrType): boolean => a.scalar === b.scalar && a.width === b.width;

/** Is it an i32 of width 1, as indices and bounds must be? */
export const isIndex = ({ type }: Instr): boolean => type.scalar === "i32" && type.width === 1;

/** What is wrong with the types of an instruction, if anything. `buffer` is what a load reads. */
export function typeErrorOf(instr: Computed, buffer: BufferDecl | undefined): string | undefined {
  const { type } = instr;
  const result = (expected: IrType): string | undefined =>
    same(type, expected) ? undefined : `the result is ${showType(expected)}, not ${showType(type)}`;
  switch (instr.kind) {
    case "unary": {
      const { op, arg } = instr;
      if (!unaryMeaning[op][arg.type.scalar]) return `${op} is not defined for ${arg.type.scalar}`;
      return result(arg.type);
    }
    case "binary": {
      const { op, a, b } = instr;
      if (!binaryMeaning[op][a.type.scalar]) return `${op} is not defined for ${a.type.scalar}`;
      const isShift = op === "shl" || op === "shr";
      const fits = isShift
        ? a.type.width === b.type.width && (b.type.scalar === "i32" || b.type.scalar === "u32")
        : same(a.type, b.type);
      if (!fits) return `${op} of ${showType(a.type)} and ${showType(b.type)}`;
      return result(isComparison(op) ? { scalar: "bool", width: a.type.width } : a.type);
    }
    case "select": {
      const { condition, then, otherwise } = instr;
      if (!same(condition.type, { scalar: "bool", width: type.width })) {
        return `the condition is ${showType(condition.type)}, not bool of the result's width`;
      }
      if (!same(then.type, otherwise.type)) {
        return `select of ${showType(then.type)} and ${showType(otherwise.type)}`;
      }
      return result(then.type);
    }
    case "cast":
      return type.width === instr.arg.type.width ? undefined : "a cast changes the width";
    case "bitcast":
      for (const { scalar } of [type, instr.arg.type]) {
        if (scalar === "bool" || scalar === "f16") return `${scalar} has no 32 bits`;
      }
      return type.width === instr.arg.type.width ? undefined : "a bitcast changes the width";
    case "load":
      if (!isIndex(instr.index)) return `the index is ${showType(instr.index.type)}, not i32`;
      return buffer && result({ scalar: valueType(buffer.dtype), width: type.width });
    case "read":
      if (!isIndex(instr.index)) return `the index is ${showType(instr.index.type)}, not i32`;
      return result(instr.array.type);
    case "splat":
      if (instr.arg.type.width !== 1) return "a splat of a vec4";
      return result({ scalar: instr.arg.type.scalar, width: 4 });
    case "component":
      if (instr.arg.type.width !== 4) return "a component of a scalar";
      return result({ scalar: instr.arg.type.scalar, width: 1 });
    case "construct": {
      const [first] = instr.args;
      if (instr.args.some((arg) => !same(arg.type, { scalar: first.type.scalar, width: 1 }))) {
        return "a vec4 of parts of different types";
      }
      return result({ scalar: first.type.scalar, width: 4 });
    }
  }
}
