import type { Environment } from "compilecache-client";
import type { Environment as Whole } from "../../domain/environment.ts";

/** An environment with what a client may leave out. */
export function wholeEnvironment(environment: Environment): Whole {
  return {
    cudaVersion: "",
    computeCapability: "",
    tritonVersion: "",
    extra: {},
    ...environment,
  };
}
