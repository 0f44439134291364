import type { Environment as EnvironmentMessage } from "../gen/compilecache/v1/environment.ts";

/** What a compiled artifact depends on. Two processes share a cache when these agree. */
export interface Environment {
  /** Version of torch, for example "2.11.0". A `+cu...`, `+cpu` or `+rocm...` suffix is dropped. */
  readonly torchVersion: string;
  /** Version of CUDA that torch was built with. Without one the environment is a CPU's. */
  readonly cudaVersion?: string;
  /** Compute capability of the GPU, for example "9.0". Goes with a `cudaVersion`. */
  readonly computeCapability?: string;
  readonly tritonVersion?: string;
  /** Further labels by name, such as `{ gpu: "nvidia-h200", py: "3.12" }`. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** @internal */
export function toEnvironmentMessage(environment: Environment): EnvironmentMessage {
  return {
    torchVersion: environment.torchVersion,
    cudaVersion: environment.cudaVersion ?? "",
    computeCapability: environment.computeCapability ?? "",
    tritonVersion: environment.tritonVersion ?? "",
    extra: { ...environment.extra },
  };
}

/** @internal */
export function fromEnvironmentMessage(message: EnvironmentMessage): Environment {
  const { torchVersion, cudaVersion, computeCapability, tritonVersion, extra } = message;
  return {
    torchVersion,
    ...(cudaVersion !== "" && { cudaVersion }),
    ...(computeCapability !== "" && { computeCapability }),
    ...(tritonVersion !== "" && { tritonVersion }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}
