import type { Environment } from "compilecache-client";
import { UsageError } from "../errors/usage-error.ts";
import { commandName } from "../hints/command-name.ts";

/** The environment in what `compilecache env --json` prints, or in its `environment` alone. Throws UsageError. */
export function parseEnvironmentJson(text: string, origin: string): Environment {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new UsageError(
      `${origin} is no JSON; ${commandName()} env --json prints what is expected`,
    );
  }
  const inner = isObject(found) && isObject(found.environment) ? found.environment : found;
  if (!isObject(inner)) throw unexpected(origin);
  const { torch_version, cuda_version, compute_capability, triton_version, extra = {} } = inner;
  const versions = [torch_version, cuda_version, compute_capability, triton_version];
  if (typeof torch_version !== "string" || !isObject(extra)) throw unexpected(origin);
  if (![...versions, ...Object.values(extra)].every(isTextOrAbsent)) throw unexpected(origin);
  return {
    torchVersion: torch_version,
    cudaVersion: (cuda_version as string | undefined) ?? "",
    computeCapability: (compute_capability as string | undefined) ?? "",
    tritonVersion: (triton_version as string | undefined) ?? "",
    extra: extra as Record<string, string>,
  };
}

function unexpected(origin: string): UsageError {
  return new UsageError(
    `${origin} names no environment with a torch_version, as ${commandName()} env --json prints it`,
  );
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
