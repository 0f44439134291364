/** A kernel's files by their names, as they lie in `triton/<device>/<hash>/`. */
export interface Kernel {
  readonly device: number;
  readonly hash: string;
  readonly files: Readonly<Record<string, string | Buffer>>;
}

const module = "torch._inductor.triton_bundler";

/** The files of a kernel by their paths in a local directory. */
export function kernelFiles({ device, hash, files }: Kernel): Record<string, string | Buffer> {
  const folder = `triton/${device}/${hash}`;
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]),
  );
}

/**
 * An FX graph entry that bundles kernels and is otherwise empty: a pickle of torch's classes, as
 * `test/vectors/kernel-bundle.py` has Python write it.
 */
export function fxGraphEntry(kernels: readonly Kernel[]): Buffer {
  const bundle = instance("TritonBundle", [
    ["kernel_artifacts", list(kernels.map(kernelArtifacts))],
    ["static_autotuners", list([])],
  ]);
  const members = [text("_triton_bundle"), bundle];
  return Buffer.concat([op("8004"), op("7d28"), ...members, op("75"), op("2e")]);
}

/** An FX graph entry that names the source of its kernel by absolute path, as Python pickles that. */
export function fxGraphEntryAt(source: string, payload: Buffer): Buffer {
  const path = Buffer.from(source);
  const head =
    path.length < 256 ? Buffer.from([0x8c, path.length]) : sized(0x58, path).subarray(0, 5);
  const members = [text("payload"), sized(0x42, payload), text("filename"), head, path];
  return Buffer.concat([op("8004"), op("7d28"), ...members, op("75"), op("2e")]);
}

function kernelArtifacts({ device, hash, files }: Kernel): Buffer {
  const artifacts = Object.entries(files).map(([filename, payload]) =>
    instance("TritonKernelArtifact", [
      ["filename", text(filename)],
      ["payload", sized(0x42, Buffer.from(payload))],
    ]),
  );
  return instance("TritonKernelArtifacts", [
    ["kernel_hash", text(hash)],
    ["device", Buffer.from([0x4b, device])],
    ["artifacts", list(artifacts)],
  ]);
}

/** STACK_GLOBAL EMPTY_TUPLE NEWOBJ EMPTY_DICT MARK, the members, SETITEMS BUILD. */
function instance(name: string, members: [string, Buffer][]): Buffer {
  const pairs = members.flatMap(([key, value]) => [text(key), value]);
  return Buffer.concat([text(module), text(name), op("9329817d28"), ...pairs, op("7562")]);
}

/** EMPTY_LIST MARK, the items, APPENDS. */
const list = (items: Buffer[]) => Buffer.concat([op("5d28"), ...items, op("65")]);
const text = (value: string) => sized(0x58, Buffer.from(value));
const op = (hex: string) => Buffer.from(hex, "hex");

function sized(code: number, content: Buffer): Buffer {
  const head = Buffer.alloc(5, code);
  head.writeUInt32LE(content.length, 1);
  return Buffer.concat([head, content]);
}
