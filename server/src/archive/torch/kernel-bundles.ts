import type { Checkpoint } from "../../local/tree/tree.ts";
import { type PickleToken, PickleUnreadable, readPickle } from "./pickle-tokens.ts";

/** A kernel's file inside an FX graph entry: where its bytes lie in the entry. */
export interface BundledFile {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

/** A kernel that an FX graph entry bundles. torch writes its files into `triton/<device>/<hash>/`. */
export interface BundledKernel {
  readonly device: number;
  readonly hash: string;
  readonly files: readonly BundledFile[];
}

/** Number of tokens in the longer of the two patterns below. */
const longest = 6;
/** Real kernels have 8. */
const maxFiles = 1000;
const artifacts = "torch._inductor.triton_bundler.TritonKernelArtifacts";
const artifact = "torch._inductor.triton_bundler.TritonKernelArtifact";

/**
 * Finds the kernels that an FX graph entry, an open file of `size` bytes, bundles for Triton's cache.
 * Throws PickleUnreadable if the entry cannot be read as a pickle, or if a kernel has more than 1000
 * files.
 *
 * torch pickles `TritonKernelArtifacts(kernel_hash, device, [TritonKernelArtifact(filename, payload)])`
 * member by member, which puts these values side by side. Any other sequence of values is ignored.
 */
export function* bundledKernels(
  fd: number,
  size: number,
  checkpoint: Checkpoint,
): Generator<BundledKernel> {
  let kernel: (BundledKernel & { files: BundledFile[] }) | undefined;
  let recent: PickleToken[] = [];
  for (const token of readPickle(fd, size, checkpoint)) {
    if (token.kind === "class") {
      recent = [];
      if (token.name !== artifact) {
        if (kernel) yield kernel;
        kernel = undefined;
      }
    }
    // The patterns match only the first values after a class.
    if (recent.length === longest) continue;
    recent.push(token);
    const made = kernelOf(recent);
    if (made) kernel = { ...made, files: [] };
    const file = fileOf(recent);
    if (!file || !kernel) continue;
    kernel.files.push(file);
    if (kernel.files.length > maxFiles) throw new PickleUnreadable("a kernel has too many files");
  }
  if (kernel) yield kernel;
}

function kernelOf(tokens: readonly PickleToken[]) {
  const [made, hashKey, hash, deviceKey, device, artifactsKey] = tokens;
  if (tokens.length !== 6 || !isClass(made, artifacts)) return undefined;
  if (!isText(hashKey, "kernel_hash") || hash?.kind !== "text") return undefined;
  if (!isText(deviceKey, "device") || device?.kind !== "number") return undefined;
  if (!isText(artifactsKey, "artifacts")) return undefined;
  return { hash: hash.text, device: device.value };
}

function fileOf(tokens: readonly PickleToken[]): BundledFile | undefined {
  const [made, nameKey, name, payloadKey, payload] = tokens;
  if (tokens.length !== 5 || !isClass(made, artifact)) return undefined;
  if (!isText(nameKey, "filename") || name?.kind !== "text") return undefined;
  if (!isText(payloadKey, "payload") || payload?.kind !== "bytes") return undefined;
  return { name: name.text, start: payload.start, length: payload.length };
}

function isClass(token: PickleToken | undefined, name: string): boolean {
  return token?.kind === "class" && token.name === name;
}

function isText(token: PickleToken | undefined, text: string): boolean {
  return token?.kind === "text" && token.text === text;
}
