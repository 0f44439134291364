import { createHash } from "node:crypto";
import type { Environment } from "./environment.ts";

/** Archives of b10-transfer that it would load in an environment, on one machine. */
export interface B10ArchiveNames {
  /** File names, the best first. */
  readonly names: readonly string[];
  /** Whether they say which GPU they are of; the others say no more than `x86_64`, not which CPU. */
  readonly tellsMachine: boolean;
}

const filename = /^cache_[0-9a-f]{16}(\.[^/]+)?\.latest\.tar\.gz$/;

/** Whether b10-transfer gives an archive such a name: 0.0.2 with the machine's name, 0.4.1 without. */
export function isB10ArchiveName(name: string): boolean {
  return filename.test(name);
}

/** What b10-transfer calls its archives of an environment; undefined where it has none. */
export function b10ArchiveNames(
  { cudaVersion, extra }: Environment,
  hostname: string,
): B10ArchiveNames | undefined {
  // It knows torch's own directory alone, and no GPU of AMD's by what an environment says.
  if ((extra.root ?? "inductor") !== "inductor" || extra.rocm !== undefined) return undefined;
  if (cudaVersion !== "") {
    if (!extra.gpu) return undefined;
    const key = keyOf([
      ["cuda_version", cudaVersion],
      ["device_name", extra.gpu],
    ]);
    const names = [`cache_${key}.latest.tar.gz`, `cache_${key}.${hostname}.latest.tar.gz`];
    return { names, tellsMachine: true };
  }
  if (!extra.arch) return undefined;
  const key = keyOf([
    ["cpu_architecture", extra.arch],
    ["device_type", "cpu"],
    ["platform_system", "Linux"],
  ]);
  return { names: [`cache_${key}.latest.tar.gz`], tellsMachine: false };
}

/** 16 digits of the SHA-256 of what Python's json.dumps makes of it, with sorted names. */
function keyOf(facts: readonly (readonly [string, string])[]): string {
  const members = facts.map(([name, value]) => `${textOf(name)}: ${textOf(value)}`);
  return createHash("sha256")
    .update(`{${members.join(", ")}}`)
    .digest("hex")
    .slice(0, 16);
}

function textOf(value: string): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped);
}
