import type { Checkpoint } from "../../local/tree.ts";
import { type PickleToken, PickleUnreadable, readPickle } from "./pickle-tokens.ts";

/** A file of a kernel as torch's bundle of it holds it: its bytes, by where they lie. */
export interface BundledFile {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

/** A kernel in the bundle of an FX graph entry: what torch writes into `triton/<device>/<hash>/`. */
export interface BundledKernel {
  readonly device: number;
  readonly hash: string;
  readonly files: readonly BundledFile[];
}

const longest = 6;
/** Real kernels have 8. */
const maxFiles = 1000;
const artifacts = "torch._inductor.triton_bundler.TritonKernelArtifacts";
const artifact = "torch._inductor.triton_bundler.TritonKernelArtifact";

/**
 * Finds the kernels that an FX graph entry, an open file of `size` bytes, brings along for Triton's
 * cache. Throws PickleUnreadable where torch could not read it either, or where we cannot.
 *
 * torch pickles `TritonKernelArtifacts(kernel_hash, device, [TritonKernelArtifact(filename,
 * payload)])` member by member, which puts these values side by side. Anything that does not look
 * exactly so is passed over.
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
    // No more is ever asked for than what comes first after a class.
    if (recent.length === longest) continue;
    recent.push(token);
    const made = kernelOf(recent);
    if (made) kernel = { ...made, files: [] };
    const file = fileOf(recent);
    if (!file || !kernel) continue;
    kernel.files.push(file);
    if (kernel.files.length > maxFiles) throw new PickleUnreadable("a kernel of too many files");
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
