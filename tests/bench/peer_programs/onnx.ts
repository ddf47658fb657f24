/**
 * Graphs in ONNX's file format, as far as the programs for ONNX Runtime need it: protobuf messages, written
 * by hand.
 * @module
 */

type Bytes = readonly number[];
type Attribute = number | string | readonly number[] | { readonly float: number };

const utf8 = (text: string): Bytes => [...new TextEncoder().encode(text)];

function varint(value: number): Bytes {
  const bytes: number[] = [];
  // Negative numbers are written as 64 bits of two's complement.
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const integer = (field: number, value: number): Bytes => [...varint(field * 8), ...varint(value)];
const float = (
  field: number,
  value: number,
): Bytes => [...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)];
const bytes = (field: number, value: Bytes): Bytes => [
  ...varint(field * 8 + 2),
  ...varint(value.length),
  ...value,
];
const text = (field: number, value: string): Bytes => bytes(field, utf8(value));

function attribute(name: string, value: Attribute): Bytes {
  const kinds = { float: 1, integer: 2, text: 3, integers: 7 };
  const contents = typeof value === "number"
    ? [...integer(3, value), ...integer(20, kinds.integer)]
    : typeof value === "string"
    ? [...text(4, value), ...integer(20, kinds.text)]
    : "float" in value
    ? [...float(2, value.float), ...integer(20, kinds.float)]
    : [...value.flatMap((i) => integer(8, i)), ...integer(20, kinds.integers)];
  return [...text(1, name), ...contents];
}

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Default: ONNX's own. */
  readonly domain?: string;
}

const nodeMessage = ({ op, inputs, outputs, attributes = {}, domain = "" }: Node): Bytes => [
  ...inputs.flatMap((name) => text(1, name)),
  ...outputs.flatMap((name) => text(2, name)),
  ...text(4, op),
  ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
  ...text(7, domain),
];

const float32 = 1;
const int64 = 7;

function valueMessage(name: string, shape: readonly number[]): Bytes {
  const dimensions = shape.flatMap((d) => bytes(1, integer(1, d)));
  const type = [...integer(1, float32), ...bytes(2, dimensions)];
  return [...text(1, name), ...bytes(2, bytes(1, type))];
}

function integersMessage(name: string, values: readonly number[]): Bytes {
  const raw = [...new Uint8Array(BigInt64Array.from(values, BigInt).buffer)];
  return [...integer(1, values.length), ...integer(2, int64), ...text(8, name), ...bytes(9, raw)];
}

function scalarMessage(name: string, value: number): Bytes {
  return [
    ...integer(2, float32),
    ...text(8, name),
    ...bytes(9, [...new Uint8Array(Float32Array.of(value).buffer)]),
  ];
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  /** Constants: numbers of f32, lists of i64. */
  readonly constants?: Readonly<Record<string, number | readonly number[]>>;
}

/** A model of f32 tensors of fixed shapes. */
export function onnxModel({ nodes, inputs, outputs, constants = {} }: Graph): Uint8Array {
  const graph = [
    ...nodes.flatMap((node) => bytes(1, nodeMessage(node))),
    ...text(2, "graph"),
    ...Object.entries(constants).flatMap(([name, value]) =>
      bytes(5, typeof value === "number" ? scalarMessage(name, value) : integersMessage(name, value))
    ),
    ...Object.entries(inputs).flatMap(([name, shape]) => bytes(11, valueMessage(name, shape))),
    ...Object.entries(outputs).flatMap(([name, shape]) => bytes(12, valueMessage(name, shape))),
  ];
  const opset = (domain: string, version: number) => bytes(8, [...text(1, domain), ...integer(2, version)]);
  return Uint8Array.from([
    ...integer(1, 9),
    ...bytes(7, graph),
    ...opset("", 20),
    ...opset("com.microsoft", 1),
  ]);
}
