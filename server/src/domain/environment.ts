import { createHash } from "node:crypto";
import { CacheError, type FieldViolation, invalidField } from "./cache-error.ts";

/** What a compiled artifact depends on. Empty `cudaVersion` means cpu, empty `tritonVersion` none. */
export interface Environment {
  readonly torchVersion: string;
  readonly cudaVersion: string;
  readonly computeCapability: string;
  readonly tritonVersion: string;
  readonly extra: Readonly<Record<string, string>>;
}

const reservedNames = new Set(["torch", "cuda", "cpu", "cc", "triton"]);
const labelName = /^[a-z][a-z0-9]*$/;
const torchBuild = /\+(cu\d|cpu\b|rocm\d).*$/;

/** Lower case; each run of characters outside `a-z 0-9 .` becomes one `-`. */
function normalise(value: string): string {
  return value.toLowerCase().replace(/[^a-z0-9.]+/g, "-");
}

/**
 * The components of an environment by name, normalised, in the order of the environment key.
 * An environment without CUDA has the component `cpu` with an empty value in place of cuda and cc.
 * Throws INVALID_REQUEST with one violation for each field that is wrong; `field` is their prefix.
 */
export function environmentComponents(
  environment: Environment,
  field = "environment",
): Map<string, string> {
  const violations: FieldViolation[] = [];
  const refuse = (name: string, description: string) =>
    violations.push({ field: `${field}.${name}`, description });

  const torch = normalise(environment.torchVersion.toLowerCase().replace(torchBuild, ""));
  if (torch === "") refuse("torch_version", "is required, for example 2.11.0");
  const cuda = normalise(environment.cudaVersion);
  const cc = normalise(environment.computeCapability);
  if (cuda !== "" && cc === "")
    refuse("compute_capability", `is required with cuda_version ${JSON.stringify(cuda)}`);
  if (cuda === "" && cc !== "")
    refuse("compute_capability", `needs a cuda_version, but is ${JSON.stringify(cc)} without one`);

  const components = new Map<string, string>([["torch", torch]]);
  if (cuda === "") components.set("cpu", "");
  else components.set("cuda", cuda).set("cc", cc);
  components.set("triton", normalise(environment.tritonVersion) || "none");

  for (const name of Object.keys(environment.extra).sort()) {
    const value = normalise(environment.extra[name] ?? "");
    const label = `extra[${JSON.stringify(name)}]`;
    if (!labelName.test(name))
      refuse(label, "a label's name is a lower-case letter, then lower-case letters and digits");
    else if (reservedNames.has(name)) refuse(label, `${name} is not free to be a label`);
    else if (value === "") refuse(label, "a label's value may not be empty");
    else components.set(name, value);
  }
  if (violations.length > 0)
    throw new CacheError(
      "INVALID_REQUEST",
      violations.map((v) => `${v.field}: ${v.description}`).join("; "),
      { violations },
    );
  return components;
}

/** Every answer about a cache carries its environment, 1,000 of them in a page of at most 4 MB. */
const longestEnvironmentBytes = 1024;

/** Throws INVALID_REQUEST for an environment that is too large to be stored and listed. */
export function requireModestSize(
  { extra, ...versions }: Environment,
  field = "environment",
): void {
  const { torchVersion, cudaVersion, computeCapability, tritonVersion } = versions;
  const labels = Object.entries(extra).flat();
  const texts = [torchVersion, cudaVersion, computeCapability, tritonVersion, ...labels];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= longestEnvironmentBytes) return;
  throw invalidField(
    field,
    `has ${bytes} bytes of versions, names and labels, and may have ${longestEnvironmentBytes}`,
  );
}

/** The canonical, injective text of an environment. Throws as environmentComponents does. */
export function environmentKey(environment: Environment, field = "environment"): string {
  return [...environmentComponents(environment, field)]
    .map(([name, value]) => (name === "cpu" ? name : `${name}-${value}`))
    .join("_");
}

/** First 12 hexadecimal digits of the SHA-256 of the environment key. */
export function cacheKeyOf(key: string): string {
  return createHash("sha256").update(key, "utf8").digest("hex").slice(0, 12);
}

/** Names of the components in which two environments differ, in the order of the environment key. */
export function differingComponents(one: Environment, other: Environment): string[] {
  const a = environmentComponents(one);
  const b = environmentComponents(other);
  const order = ["torch", "cuda", "cc", "triton"];
  const labels = [...new Set([...a.keys(), ...b.keys()])]
    .filter((name) => !order.includes(name) && name !== "cpu")
    .sort();
  return [...order, ...labels].filter((name) => a.get(name) !== b.get(name));
}
