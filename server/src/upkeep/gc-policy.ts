import type { Config } from "../config/settings.ts";
import { defaultGcPolicy, type GcPolicy } from "./gc-plan.ts";

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
