import { createHash } from "node:crypto";
import { type FieldViolation, invalidField, invalidRequest } from "./cache-error.ts";

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
 * Throws INVALID_REQUEST with one violation for each field that is wrong.
 */
export function environmentComponents(environment: Environment): Map<string, string> {
  const violations: FieldViolation[] = [];
  const refuse = (name: string, description: string) =>
    violations.push({ field: `environment.${name}`, description });

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
  if (violations.length > 0) throw invalidRequest(violations);
  return components;
}

/** Every answer about a cache carries its environment, 1,000 of them in a page of at most 4 MB. */
const longestEnvironmentBytes = 1024;

function requireModestSize({ extra, ...versions }: Environment): void {
  const { torchVersion, cudaVersion, computeCapability, tritonVersion } = versions;
  const labels = Object.entries(extra).flat();
  const texts = [torchVersion, cudaVersion, computeCapability, tritonVersion, ...labels];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= longestEnvironmentBytes) return;
  throw invalidField(
    "environment",
    `has ${bytes} bytes of versions, names and labels, and may have ${longestEnvironmentBytes}`,
  );
}

/** The canonical, injective text of an environment. Throws as environmentComponents does. */
export function environmentKey(environment: Environment): string {
  return [...environmentComponents(environment)]
    .map(([name, value]) => (name === "cpu" ? name : `${name}-${value}`))
    .join("_");
}

/** First 12 hexadecimal digits of the SHA-256 of the environment key. */
export function cacheKeyOf(key: string): string {
  return createHash("sha256").update(key, "utf8").digest("hex").slice(0, 12);
}

/** An environment that a request named, with what names it. */
export interface NamedEnvironment {
  readonly environment: Environment;
  readonly environmentKey: string;
  readonly cacheKey: string;
}

/** The environment that a request must name. Throws INVALID_REQUEST. */
export function parseEnvironment(environment: Environment | undefined): NamedEnvironment {
  if (!environment) throw invalidField("environment", "is required");
  // One that is too large is not worth a look at each of its labels.
  requireModestSize(environment);
  const key = environmentKey(environment);
  return { environment, environmentKey: key, cacheKey: cacheKeyOf(key) };
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
