import { defaultGcPolicy, type GcPolicy } from "../upkeep/gc-plan.ts";
import type { Config } from "./settings.ts";

/** The policy that a configuration says. */
export function gcPolicyOf(config: Config): GcPolicy {
  const { gcMaxAge, gcMaxIdle, gcMaxBytes, gcMaxFiles, gcQuotas, gcKeep } = config;
  return {
    ...defaultGcPolicy,
    ...(gcMaxAge === undefined ? {} : { maxAgeMs: gcMaxAge }),
    ...(gcMaxIdle === undefined ? {} : { maxIdleMs: gcMaxIdle }),
    ...(gcMaxBytes === undefined ? {} : { maxBytes: gcMaxBytes }),
    ...(gcMaxFiles === undefined ? {} : { maxFiles: gcMaxFiles }),
    ...(gcQuotas === undefined ? {} : { quotas: gcQuotas }),
    keepMs: gcKeep,
  };
}
