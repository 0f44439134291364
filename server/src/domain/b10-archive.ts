import { createHash } from "node:crypto";
import type { Environment } from "./environment.ts";

/** Archives of b10-transfer that it would load in an environment, on one machine. */
export interface B10ArchiveNames {
  /** File names, the best first. */
  readonly names: readonly string[];
  /** What they do not tell, in words, and one would have to know; empty where they tell enough. */
  readonly untold: string;
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
  const root = extra.root ?? "inductor";
  // It knows no other directories, and no GPU of AMD's by what an environment says.
  if (!["inductor", "vllm"].includes(root) || extra.rocm !== undefined) return undefined;
  const untold = root === "vllm" ? "whether it is vLLM's cache or torch's" : "";
  if (cudaVersion !== "") {
    if (!extra.gpu) return undefined;
    const key = keyOf([
      ["cuda_version", cudaVersion],
      ["device_name", extra.gpu],
    ]);
    const names = [`cache_${key}.latest.tar.gz`, `cache_${key}.${hostname}.latest.tar.gz`];
    return { names, untold };
  }
  if (!extra.arch) return undefined;
  const key = keyOf([
    ["cpu_architecture", extra.arch],
    ["device_type", "cpu"],
    ["platform_system", "Linux"],
  ]);
  // No more than `x86_64`: code for another CPU could end the process that runs it.
  const names = [`cache_${key}.latest.tar.gz`];
  return { names, untold: untold || "for which CPU it was compiled" };
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
