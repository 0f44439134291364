import { closeSync, futimesSync, mkdirSync, openSync, readdirSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type ContentKind, createCacheContent } from "./cache-content.ts";
import { createRandom, type Random } from "./random.ts";

/** How large a cache to make. */
export interface MakeCacheOptions {
  /**
   * Size beside a real cache of 12,462 files and 729 MB: number of files, and bytes of the large
   * ones. Default: 0.1.
   */
  readonly scale?: number | undefined;
  /** Factor on the size of every file, for many small ones. Default: 1. */
  readonly sizeScale?: number | undefined;
  /** Size of one more file, beside all others. Default: none. */
  readonly extraFileBytes?: number | undefined;
  /** The same seed and sizes give the same cache, byte for byte. Default: 1. */
  readonly seed?: number | undefined;
}

/** What was made. */
export interface MadeCache {
  readonly fileCount: number;
  readonly bytes: number;
}

/** Sizes at the quantiles 0, 10, 25, 50, 75, 90, 97 and 100 % of the real cache's files. */
type Quantiles = readonly number[];
const quantiles = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 1];
const kernelFiles: { kind: ContentKind; suffix: string; prefix?: string; sizes: Quantiles }[] = [
  {
    kind: "llir",
    suffix: ".llir",
    sizes: [2795, 17725, 27999, 78808, 257664, 442255, 829684, 1352221],
  },
  {
    kind: "cubin",
    suffix: ".cubin",
    sizes: [6216, 16464, 22864, 34320, 50456, 63952, 90768, 384904],
  },
  { kind: "ptx", suffix: ".ptx", sizes: [4832, 16258, 19624, 30152, 43399, 56725, 78321, 313605] },
  {
    kind: "source",
    suffix: ".source",
    sizes: [2486, 22240, 29730, 29884, 36645, 39059, 39182, 51870],
  },
  {
    kind: "ttgir",
    suffix: ".ttgir",
    sizes: [2788, 14314, 20199, 24400, 31366, 40143, 43939, 47299],
  },
  { kind: "ttir", suffix: ".ttir", sizes: [2452, 11617, 13462, 14476, 21926, 25119, 25700, 32248] },
  { kind: "json", suffix: ".json", sizes: [1109, 1110, 1110, 1111, 1122, 1174, 1214, 1309] },
  {
    kind: "json",
    suffix: ".json",
    prefix: "__grp__",
    sizes: [877, 877, 877, 877, 1031, 1815, 2389, 2851],
  },
];
const pythonSizes: Quantiles = [2087, 4522, 4527, 4735, 4872, 5185, 5188, 5400];
const wrapperSizes = [211_621, 403_147, 441_138, 519_614];
const fxGraphSizes = [11_430_364, 12_191_187, 42_146_400, 183_700_129];
const autogradSizes = [387_760, 534_818, 631_064, 657_761];
const kernelNames = [
  "triton_mm",
  "triton_mm",
  "triton_mm",
  "triton_convolution2d",
  "triton_convolution2d",
  "triton_poi_fused__native_batch_norm_legit_no_training_add_convolution_relu_0",
  "triton_per_fused_add_native_layer_norm_transpose_view_1",
  "triton_poi_fused__scaled_dot_product_cudnn_attention__unsafe_view_add_clone_select_squeeze_transpose_unsqueeze_view_3",
];

const base32 = "abcdefghijklmnopqrstuvwxyz234567";
const hex = "0123456789abcdef";
/** The age of a cache that nobody is writing any more, and the same at each run. */
const firstModifiedSeconds = Date.UTC(2025, 0, 1) / 1000;
const chunkBytes = 16 << 20;

/**
 * Fills `dir`, which must be absent or empty, with what TorchInductor leaves: its folders, names,
 * sizes, modes, and contents that compress about as far.
 */
export function makeCache(dir: string, options: MakeCacheOptions = {}): MadeCache {
  const { scale = 0.1, sizeScale = 1, extraFileBytes = 0, seed = 1 } = options;
  mkdirSync(dir, { recursive: true });
  if (readdirSync(dir).length > 0) throw new Error(`${dir} is not empty`);
  const random = createRandom(seed);
  const content = createCacheContent(seed + 1);
  const made = { fileCount: 0, bytes: 0 };

  function write(path: string, kind: ContentKind, realBytes: number, family = 0, mode = 0o644) {
    const target = join(dir, path);
    mkdirSync(dirname(target), { recursive: true });
    const size = Math.max(1, Math.round(realBytes * sizeScale));
    const file = openSync(target, "wx", mode);
    for (let left = size; left > 0; ) {
      const chunk = content.fill(kind, Math.min(left, chunkBytes), family);
      for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      left -= chunk.length;
    }
    const modifiedSeconds = firstModifiedSeconds + made.fileCount;
    futimesSync(file, modifiedSeconds, modifiedSeconds);
    closeSync(file);
    made.fileCount++;
    made.bytes += size;
  }

  const kernelCount = Math.max(1, Math.round(1402 * scale));
  for (const rank of shuffled(kernelCount, random)) {
    const folder = `triton/0/${random.word(base32, 52).toUpperCase()}`;
    const family = random.below(kernelNames.length);
    for (const { kind, suffix, prefix = "", sizes } of kernelFiles) {
      const size = sizeAt(sizes, rank);
      write(`${folder}/${prefix}${kernelNames[family]}${suffix}`, kind, size, family);
    }
  }
  const launcher = `triton/0/${random.word(base32, 52).toUpperCase()}`;
  write(`${launcher}/cuda_utils.cpython-312-x86_64-linux-gnu.so`, "so", 31_944, 0, 0o755);

  const inTwoLetterFolder = (name: string) => `${name.slice(1, 3)}/${name}`;
  for (const rank of shuffled(Math.max(1, Math.round(1187 * scale)), random)) {
    const name = inTwoLetterFolder(`c${random.word(base32, 51)}`);
    write(`${name}.py`, "py", sizeAt(pythonSizes, rank), random.below(3));
  }
  for (let i = Math.round(45 * scale); i > 0; i--)
    write(
      `${random.word(base32, 2)}/${random.word(hex, 64)}.best_config`,
      "json",
      206 + random.below(60),
    );
  write(`cache/${random.word(hex, 64)}`, "autotune", 73_011);

  const models = Math.max(1, Math.ceil(scale));
  const modelScale = scale / models;
  for (let model = 0; model < models; model++) {
    for (const size of wrapperSizes)
      write(`${inTwoLetterFolder(`c${random.word(base32, 51)}`)}.py`, "py", size * modelScale);
    for (const size of fxGraphSizes) write(fxGraphPath(random), "fxgraph", size * modelScale);
    for (const size of autogradSizes)
      write(
        `aotautograd/a${random.word(base32, 51)}/${random.word(base32, 51)}`,
        "aotautograd",
        size * modelScale,
      );
  }
  if (extraFileBytes > 0) write(fxGraphPath(random), "fxgraph", extraFileBytes / sizeScale);
  return made;
}

function fxGraphPath(random: Random): string {
  const name = `f${random.word(base32, 51)}`;
  return `fxgraph/${name.slice(1, 3)}/${name}/${random.word(base32, 51)}`;
}

/** `count` ranks spread evenly over 0 to 1, in random order: any seed gives the same total. */
function shuffled(count: number, random: Random): number[] {
  const ranks = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [ranks[i], ranks[j]] = [ranks[j] as number, ranks[i] as number];
  }
  return ranks;
}

function sizeAt(sizes: Quantiles, rank: number): number {
  const above = quantiles.findIndex((quantile) => quantile >= rank);
  const [low, high] = [sizes[above - 1] as number, sizes[above] as number];
  const [from, to] = [quantiles[above - 1] as number, quantiles[above] as number];
  return low * (high / low) ** ((rank - from) / (to - from));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scale: { type: "string" },
      "size-scale": { type: "string" },
      "extra-file-bytes": { type: "string" },
      seed: { type: "string" },
    },
  });
  const dir = positionals[0];
  if (dir === undefined) {
    console.error(
      "usage: make-cache.ts DIR [--scale 0.1] [--size-scale 1] [--extra-file-bytes 0] [--seed 1]",
    );
    process.exit(2);
  }
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const made = makeCache(resolve(dir), {
    scale: number(values.scale),
    sizeScale: number(values["size-scale"]),
    extraFileBytes: number(values["extra-file-bytes"]),
    seed: number(values.seed),
  });
  console.log(`${made.fileCount} files, ${made.bytes} bytes in ${dir}`);
}
