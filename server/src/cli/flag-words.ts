import type { CacheServiceError } from "compilecache-client";

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
export function messageInFlags(
  { message, violations }: CacheServiceError,
  argv: readonly string[],
): string {
  if (violations.length === 0) return message;
  return violations
    .map(({ field, description }) => {
      const words = description.replace(/\b[a-z]+_[a-z]+\b/g, (word) => wireWords[word] ?? word);
      return `${givenAs(field, argv)}: ${words}`;
    })
    .join("\n");
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
