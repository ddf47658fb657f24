/** Reading MNIST's files (LeCun, Cortes, Burges): images and labels in the IDX format, gzipped or not. */

import { join } from "node:path";
import { UsageError } from "./command_line.ts";

export interface Digits {
  readonly count: number;
  /** [count, 784], from 0 (paper) to 1 (ink). */
  readonly images: Float32Array;
  /** [count] */
  readonly labels: Int32Array;
}

const FILES = ["train", "t10k"] as const;
/** Where they are mirrored. */
const SOURCE = "https://storage.googleapis.com/cvdf-datasets/mnist/";

/**
 * What there is to train on, and what to judge by: MNIST's two parts, or where only the test part is there, four fifths
 * of it and the rest.
 */
export async function readMnist(folder: string): Promise<{ training: Digits; test: Digits }> {
  const [training, test] = await Promise.all(FILES.map((part) => readPart(folder, part)));
  if (test === undefined) {
    throw new UsageError(
      `There is no t10k-images-idx3-ubyte(.gz) with its labels in ${folder}. Download ` +
        FILES.flatMap((name) => [`${name}-images-idx3-ubyte.gz`, `${name}-labels-idx1-ubyte.gz`]).join(", ") +
        ` from ${SOURCE} into a folder and name it: --data FOLDER.`,
    );
  }
  if (training !== undefined) return { training, test };
  const cut = Math.floor(test.count * 4 / 5);
  return { training: part(test, 0, cut), test: part(test, cut, test.count) };
}

/** The digits from one index up to before another. */
export const part = ({ images, labels }: Digits, from: number, to: number): Digits => ({
  count: to - from,
  images: images.subarray(from * 784, to * 784),
  labels: labels.subarray(from, to),
});

async function readPart(folder: string, name: string): Promise<Digits | undefined> {
  const images = await readFile(join(folder, `${name}-images-idx3-ubyte`));
  const labels = await readFile(join(folder, `${name}-labels-idx1-ubyte`));
  if (images === undefined || labels === undefined) return undefined;
  const count = new DataView(images.buffer).getUint32(4);
  if (images.length !== 16 + 784 * count || labels.length !== 8 + count) {
    throw new UsageError(
      `The files of MNIST in ${folder} are not whole; download them again from ${SOURCE}.`,
    );
  }
  return {
    count,
    images: Float32Array.from(images.subarray(16), (ink) => ink / 255),
    labels: Int32Array.from(labels.subarray(8)),
  };
}

/** A file, or the same one gzipped; undefined where there is neither. */
async function readFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch {
    try {
      using file = await Deno.open(`${path}.gz`);
      return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
    } catch {
      return undefined;
    }
  }
}
