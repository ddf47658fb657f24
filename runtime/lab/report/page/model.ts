/** One compile, with what is asked of it found quickly. */

import type { CompileView, DispatchView, OpView, PairView, StageView } from "../data.ts";

/** What is selected: an op of a stage's graph (`n12`), a group (`g3`) or a dispatch (`d7`). */
export interface Selection {
  readonly id: string;
  readonly stage: number;
}

export class Model {
  /** Users of each op of a stage. */
  readonly #users = new Map<number, readonly (readonly number[])[]>();
  readonly #keys = new Map<
    number,
    { readonly keys: readonly string[]; readonly byKey: ReadonlyMap<string, number> }
  >();
  readonly groupsOf = new Map<number, number[]>();
  readonly pairsOf = new Map<number, PairView[]>();

  constructor(readonly view: CompileView) {
    view.groups.forEach(({ nodes }, g) => {
      for (const n of nodes) this.#push(this.groupsOf, n, g);
    });
    for (const pair of view.pairs) {
      this.#push(this.pairsOf, pair.a, pair);
      if (pair.b !== pair.a) this.#push(this.pairsOf, pair.b, pair);
    }
  }

  #push<T>(lists: Map<number, T[]>, key: number, item: T): void {
    const list = lists.get(key);
    if (list) list.push(item);
    else lists.set(key, [item]);
  }

  /** The last stage whose boxes are ops: its graph is the one that was fused. */
  get final(): number {
    return this.view.stages.length - 1;
  }

  stage(index: number): StageView {
    return this.view.stages[index]!;
  }

  op(stage: number, number: number): OpView {
    return this.view.ops[this.stage(stage).nodes[number]!]!;
  }

  /** `%12 matmul` */
  name(number: number, stage = this.final): string {
    return `%${number} ${this.op(stage, number).op}`;
  }

  inputs(stage: number, number: number): readonly number[] {
    return this.stage(stage).inputs[number]!;
  }

  users(stage: number, number: number): readonly number[] {
    let users = this.#users.get(stage);
    if (!users) {
      const lists: number[][] = this.stage(stage).nodes.map(() => []);
      this.stage(stage).inputs.forEach((inputs, n) => {
        for (const input of new Set(inputs)) lists[input]!.push(n);
      });
      this.#users.set(stage, users = lists);
    }
    return users[number]!;
  }

  /** The same op in another stage, or -1 where it is not there any more, or not yet. */
  inStage(number: number, from: number, to: number): number {
    if (this.stage(from).nodes === this.stage(to).nodes || from === to) return number;
    return this.#keysOf(to).byKey.get(this.#keysOf(from).keys[number]!) ?? -1;
  }

  #keysOf(stage: number) {
    let known = this.#keys.get(stage);
    if (!known) {
      const met = new Map<string, number>();
      const keys = this.stage(stage).nodes.map((index) => {
        const { id, op } = this.view.ops[index]!;
        const n = met.get(`${id} ${op}`) ?? 0;
        met.set(`${id} ${op}`, n + 1);
        return `${id} ${op} ${n}`;
      });
      this.#keys.set(stage, known = { keys, byKey: new Map(keys.map((key, n) => [key, n])) });
    }
    return known;
  }

  /** Ops of the final graph that a selection means. */
  opsOf({ id, stage }: Selection): readonly number[] {
    const number = Number(id.slice(1));
    if (id.startsWith("g")) return this.view.groups[number]!.nodes;
    if (id.startsWith("d")) return this.dispatch(number).groups.flatMap((g) => this.view.groups[g]!.nodes);
    const final = this.inStage(number, stage, this.final);
    return final < 0 ? [] : [final];
  }

  /** Ids of what stands for a selection in a stage's picture. */
  boxesOf(selection: Selection, stage: number): ReadonlySet<string> {
    const { of } = this.stage(stage);
    const { id } = selection;
    if (id.startsWith("n") && of !== "dispatches") {
      return new Set([`n${this.inStage(Number(id.slice(1)), selection.stage, stage)}`]);
    }
    const groups = id.startsWith("g")
      ? [Number(id.slice(1))]
      : id.startsWith("d")
      ? this.dispatch(Number(id.slice(1))).groups
      : this.opsOf(selection).flatMap((n) => this.groupsOf.get(n) ?? []);
    if (of === "groups") return new Set(groups.map((g) => `g${g}`));
    if (of === "dispatches") {
      if (id.startsWith("d")) return new Set([id]);
      return new Set(groups.flatMap((g) => this.view.groups[g]!.dispatches.map((d) => `d${d}`)));
    }
    return new Set(this.opsOf(selection).map((n) => `n${this.inStage(n, this.final, stage)}`));
  }

  dispatch(number: number): DispatchView {
    return this.view.dispatches[number]!;
  }

  /** Milliseconds of a group, shared evenly where several were packed into one dispatch. */
  msOfGroup(group: number): number | undefined {
    const { dispatches } = this.view.groups[group]!;
    const times = dispatches.map((d) => this.dispatch(d)).filter(({ time }) => time !== undefined);
    if (times.length === 0) return undefined;
    return times.reduce((sum, { time, groups }) => sum + time!.ms / groups.length, 0);
  }
}
