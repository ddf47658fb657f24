import type { Value } from "../value.ts";
import type { Values } from "../values.ts";

/** c₀ + c₁·x + c₂·x² + …, by Horner's scheme: right whether or not the target fuses multiply and add. */
export function polynomial(k: Values, x: Value, coefficients: readonly number[]): Value {
  const [last, ...rest] = coefficients.toReversed();
  return rest.reduce<Value>((sum, c) => k.add(k.mul(sum, x), c), k.const(last!));
}
