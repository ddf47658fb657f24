/**
 * A raw kernel among the others: what its text takes for granted is made true before it runs, and what it is bound to is
 * held against the device's limits.
 *
 *     inputs     each a dense buffer of its own: a view (or one tensor given twice) is first copied into one
 *     outputs    dense, and zeros when the kernel begins, unless it says that it writes every element
 *     empty      a tensor without elements can't be bound: four zeros are, in its place
 *
 * The copies are map kernels like any other. Limits are the user's affair here, so what exceeds them is said in numbers.
 */

import { InternalError, type Origin } from "../errors.ts";
import type { DType } from "../graph/dtype.ts";
import type { BufferDecl } from "../kernel/ir.ts";
import type { ProgramSite, Writer } from "../kernel/program_op.ts";
import { type AnyScheduled, type ElementForm, type RawKernel, volume } from "../kernel/raw.ts";
import type { ScheduledKernel } from "../kernel/scheduled.ts";
import type { BufferRef, ConcreteType, Reader, Value } from "../kernel/value.ts";
import type { Values } from "../kernel/values.ts";
import { valueType } from "../kernel/value.ts";
import { isRefusal } from "./group.ts";
import { scheduleMap } from "./map.ts";
import { checkRawLimits, sizeOf } from "./raw_limits.ts";

/** What the user said of a kernel, for given sizes. */
export interface RawSpec extends
  Pick<
    RawKernel,
    "name" | "body" | "declarations" | "workgroupSize" | "workgroups" | "sizes" | "reference"
  > {
  readonly origin: Origin | undefined;
  /** Names of the tensors and the form of their elements, inputs first. */
  readonly tensors: readonly { readonly name: string; readonly form: ElementForm }[];
  /** Which of the sizes the text reads from the uniform block. */
  readonly uniforms: readonly string[];
  /** Workgroup memory that the text declares, as far as it can be told. */
  readonly workgroupBytes: number;
  /** Whether the kernel writes every element of its outputs. */
  readonly writesAll: boolean;
}

/** Elements bound for a tensor that has none. */
const placeholder = 4;

type Site = Pick<ProgramSite<unknown>, "inputs" | "outputs" | "values" | "target" | "label" | "scratch">;

export function planRaw(site: Site, spec: RawSpec): readonly AnyScheduled[] {
  checkRawLimits(site, spec);
  const binder = new Binder(site, spec.writesAll);
  site.inputs.forEach((input, i) => binder.input(input, spec.tensors[i]!.name));
  site.outputs.forEach((output, i) => binder.output(output, spec.tensors[site.inputs.length + i]!.name));
  const { buffers, before, after, scratch } = binder;
  const groups = volume(spec.workgroups);
  const raw: AnyScheduled = {
    kernel: rawKernel(spec, buffers, site.inputs.length, groups),
    buffers,
    params: spec.uniforms.map((name) => spec.sizes[name]!),
    groups,
    label: site.label,
    split: false,
    scratch: [],
    schedule: "custom",
  };
  const all: AnyScheduled[] = [...before, ...(groups > 0 ? [raw] : []), ...after];
  return all.map((kernel, i) => i === 0 ? { ...kernel, scratch } : kernel);
}

/** Finds a dense buffer for every tensor, with the kernels around the user's that this takes. */
class Binder {
  readonly buffers: BufferRef[] = [];
  readonly before: ScheduledKernel[] = [];
  readonly after: ScheduledKernel[] = [];
  readonly scratch: BufferRef[] = [];

  constructor(readonly site: Site, readonly writesAll: boolean) {}

  input(input: Reader, name: string): void {
    const { values } = this.site;
    if (sizeOf(input) === 0) return this.#bindNothing(input.dtype);
    const value = input.at(values.axes(input.shape));
    const index = denseIndex(values, input.shape);
    const stored = value.kind === "load" && value.index === index && isWhole(value.buffer, input)
      ? value.buffer
      : undefined;
    if (stored && !this.buffers.some((b) => b.name === stored.name)) {
      this.buffers.push(stored);
      return;
    }
    const copy = this.#own(input.dtype, sizeOf(input));
    this.before.push(...mapKernels(this.site, input.shape, value, copy, index, `${name} copied`));
    this.buffers.push(copy);
  }

  output(output: Writer, name: string): void {
    const { values } = this.site;
    if (sizeOf(output) === 0) return this.#bindNothing(output.dtype);
    const index = denseIndex(values, output.shape);
    const place = output.at(values.axes(output.shape));
    let { buffer } = output;
    if (place !== index || !isWhole(buffer, output)) {
      buffer = this.#own(output.dtype, sizeOf(output));
      const made = values.load(buffer, index);
      this.after.push(
        ...mapKernels(this.site, output.shape, made, output.buffer, place, `${name} put in its place`),
      );
    }
    if (!this.writesAll) this.#clear(output.shape, buffer, `${name} cleared`);
    this.buffers.push(buffer);
  }

  #bindNothing(dtype: DType): void {
    const made = this.#own(dtype, placeholder);
    this.#clear([placeholder], made, "in place of an empty tensor");
    this.buffers.push(made);
  }

  #clear(shape: readonly number[], buffer: BufferRef, what: string): void {
    const { values } = this.site;
    const zero = values.const(0, valueType(buffer.dtype));
    this.before.push(...mapKernels(this.site, shape, zero, buffer, denseIndex(values, shape), what));
  }

  #own(dtype: DType, size: number): BufferRef {
    const made = this.site.scratch(dtype, size);
    this.scratch.push(made);
    return made;
  }
}

function rawKernel(spec: RawSpec, buffers: readonly BufferRef[], inputs: number, groups: number): RawKernel {
  const { name, body, declarations, workgroupSize, workgroups, sizes, reference, origin } = spec;
  return {
    name,
    lanes: volume(workgroupSize),
    groups,
    params: spec.uniforms.map((size) => (
      { name: size, scalar: "u32", lo: sizes[size]!, hi: sizes[size]! }
    )),
    buffers: spec.tensors.map(({ name }, i): BufferDecl => ({
      name,
      dtype: buffers[i]!.dtype,
      size: buffers[i]!.size,
      access: i < inputs ? "read" : spec.writesAll ? "write" : "read_write",
    })),
    inputs,
    forms: spec.tensors.map(({ form }) => form),
    body,
    declarations,
    workgroupSize,
    workgroups,
    sizes,
    reference,
    origin,
  };
}

/** A kernel that gives every element of a tensor a value. */
function mapKernels(
  { values, target, label }: Site,
  shape: readonly number[],
  value: Value,
  buffer: BufferRef,
  index: Value,
  what: string,
): readonly ScheduledKernel[] {
  const root = { value, shape, axes: values.axes(shape), buffer, index };
  const kernels = scheduleMap({ values, roots: [root], label: `${label}, ${what}` }, target);
  if (isRefusal(kernels)) throw new InternalError("schedule", `${label}, ${what}: ${kernels.refused}`);
  return kernels;
}

/** The element at an index of its axes in a dense, row-major buffer. */
function denseIndex(k: Values, shape: readonly number[]): Value {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, d) => n * d, 1));
  return k.affine(k.axes(shape).map((axis, i) => [axis, strides[i]!] as const));
}

const isWhole = (buffer: BufferRef, type: ConcreteType): boolean =>
  buffer.size === sizeOf(type) && buffer.dtype === type.dtype;
