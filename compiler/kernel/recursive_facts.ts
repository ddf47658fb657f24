/**
 * Finding out about atoms whose facts depend on one another.
 *
 * While an atom is being found out about, whoever asks for it is told only what its type says. What is found with such an
 * answer is less than can be known: it is provisional, and forgotten when nothing is open any more.
 */

import type { AtomFacts } from "./affine.ts";

export class RecursiveFacts {
  /** Atoms that are being found out about, and how many there were before each. */
  readonly #open = new Map<string, number>();
  /** The first of them that somebody has asked for meanwhile. */
  #asked = Infinity;
  readonly #provisional: { readonly known: Map<string, AtomFacts>; readonly name: string }[] = [];

  /**
   * What is known of an atom.
   *
   * @param known What has been found at one place; what is found now is put there.
   * @param least What is told while it is being found out, in any place.
   * @param find Finds it out, and may ask for others, and for this one.
   */
  of(name: string, known: Map<string, AtomFacts>, least: () => AtomFacts, find: () => AtomFacts): AtomFacts {
    const found = known.get(name);
    if (found) return found;
    const position = this.#open.get(name);
    if (position !== undefined) {
      this.#asked = Math.min(this.#asked, position);
      return least();
    }
    const own = this.#open.size;
    const askedBefore = this.#asked;
    this.#asked = Infinity;
    this.#open.set(name, own);
    const facts = find();
    this.#open.delete(name);
    known.set(name, facts);
    if (this.#asked < own) this.#provisional.push({ known, name });
    else this.#asked = Infinity;
    this.#asked = Math.min(askedBefore, this.#asked);
    if (own === 0) { for (const made of this.#provisional.splice(0)) made.known.delete(made.name); }
    return facts;
  }
}
