/**
 * Map: every output element on its own (SCHEDULES §4). Also the schedule of last resort: a reduction that no other
 * schedule took becomes a loop inside a lane.
 *
 * Four neighbors along the last axis are one vec4. A lane handles `mapPerLane` of them in a loop that strides by the
 * workgroup, so that adjacent lanes touch adjacent memory; blocks of four by four where something is read across the grain
 * (map_turned.ts). A length that is no multiple of 4 leaves at most three
 * elements, which the lane after the last vec4 does one by one.
 */

import { IrBuilder } from "../kernel/build.ts";
import type { Instr } from "../kernel/ir.ts";
import { Evaluator } from "../kernel/lower.ts";
import { isContiguous } from "../kernel/stride.ts";
import type { Value, Var } from "../kernel/value.ts";
import type { Target } from "../target.ts";
import { statementsOfKernel } from "../kernel/walk.ts";
import { isRefusal, type LoweredGroup, type Scheduled } from "./group.ts";
import { mapLoops, type MapStore } from "./map_loops.ts";
import { type Padded, storeExisting } from "./map_padded.ts";
import { forTurnedRows, turnedLoads } from "./map_turned.ts";

export function scheduleMap(group: LoweredGroup, target: Target): Scheduled {
  const turned = mapKernel(group, target, { mayTurn: true });
  if (isRefusal(turned)) return turned;
  const isLong = turned.some(({ kernel }) => [...statementsOfKernel(kernel)].length > target.statements);
  return isLong ? mapKernel(group, target, {}) : turned;
}

/** The same with whole vectors in each row, some of whose elements are not there (map_padded.ts). */
export const schedulePaddedMap = (padded: Padded, target: Target): Scheduled =>
  mapKernel(padded.group, target, { padded });

interface MapOptions {
  /** Whether loads across the grain are done in blocks (map_turned.ts), which are four times the statements. */
  readonly mayTurn?: boolean;
  readonly padded?: Padded;
}

function mapKernel(group: LoweredGroup, target: Target, { mayTurn = false, padded }: MapOptions): Scheduled {
  const { values: k, roots } = group;
  const first = roots[0]!;
  const vars = first.axes.filter((a): a is Var => a.kind === "var");
  for (const root of roots) {
    const own = root.axes.filter((a) => a.kind === "var");
    if (own.length !== vars.length || own.some((v, i) => v !== vars[i])) {
      return {
        refused: `results of shapes [${first.shape}] and [${root.shape}] have different iteration spaces`,
      };
    }
  }
  const { vars: loops, stores } = mapLoops(k, vars, roots);
  const total = loops.reduce((n, v) => n * v.extent, 1);
  const inner = loops.at(-1);
  // A single long axis may end in a ragged vec4; with outer axes the rows must be whole.
  const vectors = inner !== undefined && inner.extent >= 4 && (inner.extent % 4 === 0 || loops.length === 1);
  const wide = vectors &&
    (padded !== undefined || stores.every((s) => isContiguous(s.index, inner) && s.buffer.size >= 4));
  const width = wide ? 4 : 1;
  const turned = wide && mayTurn ? turnedLoads(stores, loops, target) : undefined;
  const size = turned ? 16 : width;
  const items = Math.ceil(total / size);
  const whole = Math.floor(total / size);
  const lanes = target.lanes.map;
  const most = Math.ceil(target.mapPerLane * width / size);
  const perLane = Math.max(1, Math.min(most, Math.ceil(items / (lanes * target.parallel))));
  const groups = Math.ceil(items / (lanes * perLane));

  const b = new IrBuilder(lanes);
  const ev = new Evaluator(k, b, { inExtent: padded === undefined });
  for (const load of turned?.loads ?? []) ev.expect(load);
  const item = (at: Instr) => {
    const store = (index: readonly (readonly [Value, Instr])[], vector: 1 | 4) =>
      ev.with(index, () => {
        const [only] = stores;
        if (only && stores.length === 1 && !padded && storeChanged(ev, b, only, vector, inner)) return;
        // All results before the first store: one of them may overwrite what another reads (a state in place).
        const values = stores.map((s) => ev.eval(s.value, vector, vector === 4 ? inner : undefined));
        stores.forEach((s, i) => {
          if (padded) storeExisting(b, ev, s, values[i]!, ev.eval(padded.axis), padded.extent);
          else b.store(s.buffer, ev.eval(s.index), values[i]!);
        });
      });
    const bindings = (position: Instr): [Value, Instr][] => {
      // Decode the item's position, innermost axis first.
      const out: [Value, Instr][] = [];
      let rest = position;
      for (let i = loops.length - 1; i >= 0; i--) {
        const v = loops[i]!;
        const scale = v === inner ? width : v === turned?.axis ? 4 : 1;
        const size = Math.ceil(v.extent / scale);
        const own = i === 0 ? rest : b.rem(rest, size);
        out.push([v, b.mul(own, scale)]);
        if (i > 0) rest = b.div(rest, size);
      }
      return out;
    };
    const block = (places: readonly (readonly [Value, Instr])[]) => {
      if (!turned) return store(places, width);
      const of = new Map(places);
      const begin = { axis: of.get(turned.axis)!, inner: of.get(inner!)! };
      ev.with(places, () => forTurnedRows(ev, turned, inner!, begin, () => store([], width)));
    };
    b.if(b.lt(at, whole), () => block(bindings(at)));
    if (whole < items) {
      b.if(b.binary("eq", at, b.int(whole)), () => {
        b.for(b.int(whole * 4), b.int(total), 1, (i) => store([[inner!, i]], 1));
      });
    }
  };
  b.phase(() => {
    const base = b.add(b.mul(b.group, lanes * perLane), b.lane);
    if (perLane === 1) item(base);
    else b.for(b.int(0), b.int(perLane), 1, (turn) => item(b.add(base, b.mul(turn, lanes))));
  });
  return [{ ...b.finish(groups), groups, label: group.label, split: false, scratch: [], schedule: "map" }];
}

/**
 * Where a value is either new or what lies there already (a row of a cache, written in place), only what is new is stored,
 * and nothing is read. @returns whether the value is of that kind.
 */
function storeChanged(
  ev: Evaluator,
  b: IrBuilder,
  { value, buffer, index }: MapStore,
  width: 1 | 4,
  along: Var | undefined,
): boolean {
  if (value.kind !== "select") return false;
  const { condition, then, otherwise } = value;
  const isThere = (v: Value) => v.kind === "load" && v.buffer.name === buffer.name && v.index === index;
  if (!isThere(then) && !isThere(otherwise)) return false;
  // Four neighbors are one store: all of them are new, or none.
  if (width === 4 && along && condition.free.has(along)) return false;
  const store = (fresh: Value) => () =>
    b.store(buffer, ev.eval(index), ev.eval(fresh, width, width === 4 ? along : undefined));
  if (isThere(otherwise)) b.if(ev.eval(condition), store(then));
  else b.if(ev.eval(condition), () => {}, store(otherwise));
  return true;
}
