import type { CacheServiceError, FieldViolation } from "compilecache-client";

const flags: Record<string, string> = {
  address: "--address",
  namespace: "--namespace",
  localDir: "--dir",
  profile: "--profile",
  cacheKey: "<cache-key>",
  operationId: "<operation-id>",
  "environment.torchVersion": "--torch",
  "environment.cudaVersion": "--cuda",
  "environment.computeCapability": "--cc",
  "environment.tritonVersion": "--triton",
};
const variables: Record<string, string> = {
  "--address": "COMPILE_CACHE_ADDRESS",
  "--namespace": "COMPILE_CACHE_NAMESPACE",
};
const wireWords: Record<string, string> = {
  torch_version: "--torch",
  cuda_version: "--cuda",
  compute_capability: "--cc",
  triton_version: "--triton",
};

/** An error's message, which names what the user gave where it is about a field of the request. */
export function messageInFlags(error: CacheServiceError, argv: readonly string[]): string {
  if (error.violations.length === 0) return error.message;
  return violationsInFlags(error, argv)
    .map(({ field, description }) => `${field}: ${description}`)
    .join("\n");
}

/** What is wrong with each field, by the flag, argument or variable that gave it. */
export function violationsInFlags(
  { violations }: CacheServiceError,
  argv: readonly string[],
): FieldViolation[] {
  return violations.map(({ field, description }) => ({
    field: givenAs(field, argv),
    description: description.replace(/\b[a-z]+_[a-z]+\b/g, (word) => wireWords[word] ?? word),
  }));
}

function givenAs(field: string, argv: readonly string[]): string {
  const label = /^environment\.extra\["(.*)"\]$/.exec(field)?.[1];
  if (label !== undefined) return `--label ${label}`;
  const flag = flags[field];
  if (flag === undefined) return field;
  const variable = variables[flag];
  const isGiven = argv.some((word) => word === flag || word.startsWith(`${flag}=`));
  return variable !== undefined && !isGiven && process.env[variable] ? variable : flag;
}
