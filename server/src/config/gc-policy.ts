import { defaultGcPolicy, type GcPolicy } from "../upkeep/gc-plan.ts";
import { type Config, flagOf, type SettingKey, settings } from "./settings.ts";

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

/** The settings that bound a store. */
export const gcBounds = [
  "gcMaxAge",
  "gcMaxIdle",
  "gcMaxBytes",
  "gcMaxFiles",
  "gcQuotas",
] as const satisfies readonly SettingKey[];

/** A warning where a daemon has bounds, and never looks at them. */
export function idleBounds(config: Config): string | undefined {
  if (config.gcEvery > 0) return undefined;
  const set = gcBounds.filter((key) => config[key] !== undefined);
  if (set.length === 0) return undefined;
  const names = set.map((key) => settings[key].variable).join(", ");
  const { variable } = settings.gcEvery;
  return (
    `${names}: this daemon removes nothing by it, because ${variable} is 0; ` +
    `set ${variable}=1h (${flagOf("gcEvery")} 1h), or run compilecache gc`
  );
}

/** What the log says of collection, where it is on: how often, and what stays. */
export function gcFields(config: Config): Record<string, unknown> {
  if (config.gcEvery === 0) return {};
  const { maxAgeMs, maxIdleMs, maxBytes, maxFiles, quotas, keepMs } = gcPolicyOf(config);
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  return {
    gc: {
      every_seconds: seconds(config.gcEvery),
      max_age_seconds: seconds(maxAgeMs),
      max_idle_seconds: seconds(maxIdleMs),
      max_bytes: maxBytes,
      max_files: maxFiles,
      quotas: quotas?.map((quota) => `${quota.namespaces}=${quota.maxBytes}`),
      keep_seconds: seconds(keepMs),
    },
  };
}
