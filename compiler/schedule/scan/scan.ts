/**
 * Scan: cumulative sums, products and maxima in one walk per row, where the map schedule would sum anew for every element.
 *
 * A result at j holds the elements up to position p(j) = ±j + c, so the row is walked in the order of p, forwards or
 * backwards in memory. With rows enough for all lanes, a lane walks a whole row with one running number. Else the lanes
 * of a workgroup share a row:
 *
 *     phase 1   each lane folds its own piece of the row
 *     phase 2   each lane folds what the lanes before it have found: where its piece begins
 *     phase 3   each lane walks its piece again from there, and stores
 *
 * Elements are folded in order within a piece and pieces in order, so results do not depend on timing.
 */

import { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { stepOf } from "../../kernel/reducers.ts";
import { identityOf, type Value, type Var } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import type { LoweredGroup, Refusal, Scheduled } from "../group.ts";
import { type Scan, scanOf } from "./problem.ts";

export function scheduleScan(group: LoweredGroup, target: Target): Scheduled {
  const scan = scanOf(group);
  if ("refused" in scan) return scan satisfies Refusal;
  const lanes = target.lanes.row;
  const rows = scan.outer.reduce((n, v) => n * v.extent, 1);
  const shared = lanes > 1 && rows < lanes * target.parallel && scan.length >= 2 * lanes;
  const groups = shared ? rows : Math.ceil(rows / lanes);
  const b = new IrBuilder(lanes);
  const writer = new ScanWriter(b, new Evaluator(group.values, b), scan, group);
  if (shared) writer.together(lanes);
  else writer.alone(rows, lanes);
  return [{ ...b.finish(groups), groups, label: group.label, split: false, scratch: [], schedule: "scan" }];
}

class ScanWriter {
  readonly #sum: ArrayDecl;

  constructor(
    readonly b: IrBuilder,
    readonly ev: Evaluator,
    readonly scan: Scan,
    readonly group: LoweredGroup,
  ) {
    this.#sum = b.array("lane", wide(scan.prefix.type, 1), 1);
  }

  /** A lane walks a row. */
  alone(rows: number, lanes: number): void {
    const { b } = this;
    b.phase(() => {
      const row = b.add(b.mul(b.group, lanes), b.lane);
      b.if(b.lt(row, rows), () => {
        this.ev.with(this.#decode(row), () => {
          this.#begin();
          this.#walk(b.int(0), b.int(this.scan.length), true);
        });
      });
    });
  }

  /** The lanes of a workgroup share a row. */
  together(lanes: number): void {
    const { b, scan } = this;
    const { op, type } = scan.prefix;
    const piece = Math.ceil(scan.length / lanes);
    const totals = b.array("shared", wide(type, 1), lanes);
    const mine = (f: (from: Instr, to: Instr) => void) =>
      this.ev.with(this.#decode(b.group), () => {
        const from = b.mul(b.lane, piece);
        f(from, b.min(b.add(from, piece), scan.length));
      });
    b.phase(() =>
      mine((from, to) => {
        this.#begin();
        this.#walk(from, to, false);
        b.set(totals, b.lane, b.read(this.#sum, 0));
      })
    );
    b.phase(() => {
      this.#begin();
      b.for(b.int(0), b.lane, 1, (before) => {
        b.set(this.#sum, 0, stepOf(b, op, b.read(this.#sum, 0), b.read(totals, before)));
      });
    });
    b.phase(() => mine((from, to) => this.#walk(from, to, true)));
  }

  #begin(): void {
    const { prefix } = this.scan;
    this.b.set(this.#sum, 0, this.b.literal(prefix.type, identityOf(prefix.op, prefix.type)));
  }

  /** Positions from … to − 1 in the order of the scan; stores where asked to. */
  #walk(from: Instr, to: Instr, store: boolean): void {
    const { b, ev, scan } = this;
    const { prefix, axis, sign, offset } = scan;
    b.for(from, to, 1, (position) => {
      const place = sign > 0 ? b.sub(position, offset) : b.sub(b.int(offset), position);
      ev.with([[prefix.variable, position], [axis, place]], () => {
        const before = b.read(this.#sum, 0);
        const after = stepOf(b, prefix.op, before, ev.eval(prefix.body));
        b.set(this.#sum, 0, after);
        if (!store) return;
        ev.with([[prefix, prefix.exclusive ? before : after]], () => {
          for (const root of this.group.roots) b.store(root.buffer, ev.eval(root.index), ev.eval(root.value));
        });
      });
    });
  }

  #decode(row: Instr): [Value, Instr][] {
    const { b } = this;
    const out: [Value, Instr][] = [];
    let rest = row;
    const outer: readonly Var[] = this.scan.outer;
    for (let i = outer.length - 1; i >= 0; i--) {
      const v = outer[i]!;
      out.push([v, i === 0 ? rest : b.rem(rest, v.extent)]);
      if (i > 0) rest = b.div(rest, v.extent);
    }
    return out;
  }
}
