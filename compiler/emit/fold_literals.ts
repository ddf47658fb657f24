/** Operations on literals alone are done before WGSL sees them: compilers differ in what they make of them. */

import { type Computed, type Instr, type Literal, literal } from "../kernel/ir.ts";
import { binaryMeaning, bitcastMeaning, castMeaning, unaryMeaning } from "../kernel/scalar.ts";

/**
 * The literal that an instruction comes to, or undefined.
 *
 * @param known The literal that an operand was folded to, or the operand itself.
 */
export function foldLiterals(instr: Computed, known: (arg: Instr) => Instr): Literal | undefined {
  if (instr.type.width !== 1) return undefined;
  const scalar = instr.type.scalar;
  switch (instr.kind) {
    case "unary": {
      const arg = known(instr.arg);
      const meaning = unaryMeaning[instr.op][arg.type.scalar];
      return arg.kind === "literal" && meaning ? literal(scalar, meaning(arg.value)) : undefined;
    }
    case "binary": {
      const [a, b] = [known(instr.a), known(instr.b)];
      const meaning = binaryMeaning[instr.op][a.type.scalar];
      if (a.kind !== "literal" || b.kind !== "literal" || !meaning) return undefined;
      return literal(scalar, meaning(a.value, b.value));
    }
    case "select": {
      const condition = known(instr.condition);
      if (condition.kind !== "literal") return undefined;
      const taken = known(condition.value !== 0 ? instr.then : instr.otherwise);
      return taken.kind === "literal" ? taken : undefined;
    }
    case "cast":
    case "bitcast": {
      const arg = known(instr.arg);
      if (arg.kind !== "literal") return undefined;
      const meaning = instr.kind === "cast" ? castMeaning : bitcastMeaning;
      return literal(scalar, meaning(arg.type.scalar, scalar, arg.value));
    }
    default:
      return undefined;
  }
}
