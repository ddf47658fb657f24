/**
 * A number with its noun: "1 kernel", "3 dispatches"; "4*batch elements" where the number has a name.
 *
 * @param many The plural, where it is not the noun and an s, or an es after s, x, sh and ch.
 */
export const counted = (n: number | string, one: string, many = pluralOf(one)): string =>
  `${n} ${n === 1 ? one : many}`;

const pluralOf = (noun: string): string => `${noun}${/(?:s|x|sh|ch)$/.test(noun) ? "es" : "s"}`;
