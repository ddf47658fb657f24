/**
 * What a user of a bundle sees. `Inputs`, `Outputs` and `StateName` become those of the model.
 * @module
 */

/** Elements of a tensor, row-major. f16 travels as Float32Array, bool as 0 and 1 in a Uint8Array. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** What a run is given. */
export interface Inputs {
  readonly [name: string]: HostArray;
}

/** What a run gives. */
export interface Outputs {
  readonly [name: string]: HostArray;
}

/** The names of the states. */
export type StateName = string;

/** Everything that goes wrong here is a sentence. */
export class BundleError extends Error {
  override name = "BundleError";
}

/** Options of `load`. */
export interface LoadOptions {
  /** The bundle's folder. Default: the one that this file is in. */
  readonly base?: string | URL;
  /** Where adapters come from. Default: `navigator.gpu`. In Node: `create([])` of the package `webgpu`. */
  readonly gpu?: GPU;
  /** A device of your own, which stays yours. */
  readonly device?: GPUDevice;
  /** Hears how many bytes of the weights are there, and of how many. */
  readonly onProgress?: (loaded: number, total: number) => void;
  /** Hears that the device is gone, and why. Load again, and put back the state that was saved last. */
  readonly onLost?: (reason: string) => void;
}

/** Options of `run`. */
export interface RunOptions<K extends keyof Outputs = keyof Outputs> {
  /** The outputs to read back. Default: all. With none, a run costs no reading. */
  readonly outputs?: readonly K[];
}

/** What stays on the device between runs. */
export interface State {
  readonly names: readonly StateName[];
  /** The state as it is after the runs asked for so far. */
  read(name: StateName): Promise<HostArray>;
  write(name: StateName, values: HostArray): Promise<void>;
  /** All states as a safetensors file. */
  save(): Promise<Blob>;
  /** Puts back what `save` gave: all of it, or nothing where it doesn't fit. */
  load(file: Blob | ArrayBuffer | Uint8Array): Promise<void>;
}

/** A loaded bundle. */
export interface Bundle {
  readonly device: GPUDevice;
  readonly state: State;
  /** One run; runs happen in the order of the calls. The arrays may be changed at once. */
  run<K extends keyof Outputs = keyof Outputs>(
    inputs: Inputs,
    options?: RunOptions<K>,
  ): Promise<Pick<Outputs, K>>;
  /** Frees everything, the device too where it was opened here. */
  dispose(): void;
  [Symbol.dispose](): void;
}
