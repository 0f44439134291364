import { createRandom, type Random } from "./random.ts";

/** Makes one line of a kind of file. */
type Line = (random: Random) => string;

const hex = "0123456789abcdef";
const register = (random: Random) => random.below(4000);
const place = (random: Random) => `#loc${random.below(200)}`;

const llir: Line[] = [
  (r) =>
    `  %${register(r)} = shl nuw nsw i32 %${register(r)}, ${r.below(16)}, !dbg !${r.below(300)}`,
  (r) =>
    `  %${register(r)} = or disjoint i32 %${register(r)}, %${register(r)}, !dbg !${r.below(300)}`,
  (r) =>
    `  %${register(r)} = getelementptr half, ptr addrspace(1) %0, i64 %${register(r)}, !dbg !17`,
  (r) =>
    `  %${register(r)} = extractvalue { float, float, float, float } %${register(r)}, ${r.below(64)}`,
  (r) =>
    `  %${register(r)} = insertelement <2 x i32> poison, i32 %${register(r)}, i64 ${r.below(2)}`,
];
const ptx: Line[] = [
  (r) => `\tadd.s32 \t%r${register(r)}, %r${register(r)}, ${r.below(4096)};`,
  (r) => `\tmul.hi.s32 \t%r${register(r)}, %r${register(r)}, -1840700269;`,
  (r) => `\tshr.u32 \t%r${register(r)}, %r${register(r)}, ${r.below(32)};`,
  (r) => `\t.loc\t1 ${r.below(99)} ${r.below(80)}\n\tmov.b32 \t%r${register(r)}, %r${register(r)};`,
];
const tritonIr: Line[] = [
  (r) =>
    `    %cst_${r.below(99)} = arith.constant dense<${r.below(4096)}> : tensor<64xi32> loc(${place(r)})`,
  (r) =>
    `    %xoffset_${r.below(99)} = arith.muli %pid, %c${r.below(512)}_i32 : i32 loc(${place(r)})`,
  (r) =>
    `    %mask_${r.below(99)} = arith.cmpi slt, %idx_${r.below(99)}, %cst_${r.below(99)} : tensor<64x1xi32> loc(${place(r)})`,
  (r) =>
    `    %a_${r.below(99)} = tt.load %ptr_${r.below(99)}, %mask_${r.below(99)} : tensor<64x16x!tt.ptr<f16>> loc(${place(r)})`,
];
const python: Line[] = [
  (r) => `    xindex = idx_n + ${r.below(4096)}*idx_m`,
  (r) =>
    `    tmp${r.below(64)} = tl.load(in_ptr${r.below(8)} + (x${r.below(4)} + ${r.below(9999)}*x1), xmask)`,
  (r) => `    BLOCK_${"MNK".charAt(r.below(3))} : tl.constexpr = ${1 << r.below(9)}`,
  (r) =>
    `    # Topologically Sorted Source Nodes: [add_${r.below(99)}, mul_${r.below(99)}, rsqrt_${r.below(99)}]`,
  (r) =>
    `    buf${r.below(999)} = empty_strided_cuda((${r.below(64)}, ${r.below(4096)}), (${r.below(4096)}, 1), torch.float16)`,
];
const json: Line[] = [
  (r) =>
    `"num_warps": ${1 << r.below(4)}, "num_stages": ${r.below(6)}, "shared": ${r.below(99999)},`,
  (r) =>
    `"triton_mm.cubin": "/tmp/torchinductor_root/triton/0/${r.word(hex, 52)}/triton_mm.cubin",`,
];
const binary: Line[] = [
  (r) => `add.s32 \t%r${register(r)}, %r${register(r)}, ${r.below(4096)};\0`,
  (r) => `.nv.info.triton_poi_fused_${r.below(99)}\0.nv.constant0\0${"\0".repeat(r.below(48))}`,
  (r) =>
    `${String.fromCharCode(r.below(128), r.below(128), r.below(32), 0)}\x79\x0c\0\0${r.word(hex, 8)}`,
];
/** What FX and AOTAutograd entries hold: pickled source code with compiled kernels in it. */
const pickle: Line[] = [...python, ...binary, ...json];

/** How one kind of file is filled. */
interface Kind {
  readonly lines: readonly Line[];
  /** Mean distance between places that no other file has: what sets how far it compresses. */
  readonly bytesPerFreshToken: number;
}

const kinds = {
  llir: { lines: llir, bytesPerFreshToken: 1500 },
  ptx: { lines: ptx, bytesPerFreshToken: 360 },
  source: { lines: tritonIr, bytesPerFreshToken: 1400 },
  ttgir: { lines: tritonIr, bytesPerFreshToken: 1000 },
  ttir: { lines: tritonIr, bytesPerFreshToken: 1000 },
  cubin: { lines: binary, bytesPerFreshToken: 150 },
  json: { lines: json, bytesPerFreshToken: 300 },
  py: { lines: python, bytesPerFreshToken: 1000 },
  fxgraph: { lines: pickle, bytesPerFreshToken: 165 },
  aotautograd: { lines: pickle, bytesPerFreshToken: 300 },
  so: { lines: binary, bytesPerFreshToken: 40 },
  autotune: { lines: json, bytesPerFreshToken: 24 },
} satisfies Record<string, Kind>;
export type ContentKind = keyof typeof kinds;

const poolBytes = 256 << 10;
const tokenBytes = 8;
const tokenLetters = Buffer.from(hex);

/** Fills buffers so that they look, and compress, as a kind of cache file does. */
export interface CacheContent {
  /** `size` bytes, valid until the next call. Files of one family are alike from their start. */
  fill(kind: ContentKind, size: number, family: number): Buffer;
}

/**
 * Each file is a stretch of its kind's pool of lines with fresh tokens strewn over it: alone it
 * compresses as code does, and beside its like much further.
 */
export function createCacheContent(seed: number): CacheContent {
  const random = createRandom(seed);
  const pools = new Map<ContentKind, Buffer>();
  let scratch = Buffer.alloc(poolBytes);

  function poolOf(kind: ContentKind): Buffer {
    let pool = pools.get(kind);
    if (!pool) {
      const { lines } = kinds[kind];
      let text = "";
      while (text.length < poolBytes) text += `${lines[random.below(lines.length)]?.(random)}\n`;
      pool = Buffer.from(text, "latin1").subarray(0, poolBytes);
      pools.set(kind, pool);
    }
    return pool;
  }

  return {
    fill(kind, size, family) {
      const pool = poolOf(kind);
      if (scratch.length < size) scratch = Buffer.alloc(size);
      const file = scratch.subarray(0, size);
      let from = (family * 99_991) % poolBytes;
      for (let at = 0; at < size; from = 0) at += pool.copy(file, at, from, from + size - at);

      const furthest = 2 * kinds[kind].bytesPerFreshToken;
      for (let at = random.below(furthest); at + tokenBytes <= size; ) {
        let bits = random.uint32();
        for (let i = 0; i < tokenBytes; i++, bits >>>= 4)
          file[at + i] = tokenLetters[bits & 15] as number;
        at += tokenBytes + random.below(furthest - tokenBytes);
      }
      return file;
    },
  };
}
