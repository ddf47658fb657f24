/**
 * Who touched what since when: finds two parties that would race on a device, while the interpreter runs them in turn.
 *
 * Two lanes race on an element that both touch in one phase, if one of them writes it. Two workgroups race on an element
 * that both touch at all, if one of them writes it, since nothing orders workgroups within a dispatch.
 */

const NOBODY = -1;
const SEVERAL = -2;

/** Watches the elements of one array within scopes: what happened in an earlier scope is forgotten. */
export class RaceWatch {
  readonly #scope: Int32Array;
  readonly #writer: Int32Array;
  readonly #reader: Int32Array;

  constructor(elements: number) {
    this.#scope = new Int32Array(elements).fill(NOBODY);
    this.#writer = new Int32Array(elements);
    this.#reader = new Int32Array(elements);
  }

  /** Records an access; true where it races with one that another party made in the same scope. */
  touch(element: number, scope: number, party: number, writes: boolean): boolean {
    if (this.#scope[element] !== scope) {
      this.#scope[element] = scope;
      this.#writer[element] = this.#reader[element] = NOBODY;
    }
    const writer = this.#writer[element]!;
    const reader = this.#reader[element]!;
    if (writes) this.#writer[element] = party;
    else this.#reader[element] = reader === NOBODY || reader === party ? party : SEVERAL;
    return (writer !== NOBODY && writer !== party) || (writes && reader !== NOBODY && reader !== party);
  }
}
