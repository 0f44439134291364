import { defaultGcPolicy, type GcPolicy } from "../upkeep/gc-plan.ts";
import { parseDuration, parseQuotas, parseSize } from "./parse/amounts.ts";
import { wholeNumber } from "./parse/values.ts";
import { setting } from "./setting.ts";

const none = { make: () => undefined, shown: "no bound" };
const hourMs = 3_600_000;

/** What a store may hold, and whether this daemon sees to it. */
export const gcSettings = {
  gcMaxAge: setting<number | undefined>({
    variable: "COMPILE_CACHE_GC_MAX_AGE",
    placeholder: "time",
    description: "oldest archive that stays, since it was written: 90d, 12h, 30m",
    fallback: none,
    parse: parseDuration,
  }),
  gcMaxIdle: setting<number | undefined>({
    variable: "COMPILE_CACHE_GC_MAX_IDLE",
    placeholder: "time",
    description: "longest that an archive stays without being loaded",
    fallback: none,
    parse: parseDuration,
  }),
  gcMaxBytes: setting<number | undefined>({
    variable: "COMPILE_CACHE_GC_MAX_BYTES",
    placeholder: "size",
    description: "most that all archives may have together: 50GB, 800MiB",
    fallback: none,
    parse: parseSize,
  }),
  gcMaxFiles: setting<number | undefined>({
    variable: "COMPILE_CACHE_GC_MAX_FILES",
    placeholder: "count",
    description: "most archives that there may be",
    fallback: none,
    parse: wholeNumber(0, 1e12),
  }),
  gcQuotas: setting<GcPolicy["quotas"]>({
    variable: "COMPILE_CACHE_GC_QUOTAS",
    placeholder: "list",
    description: "most that a namespace may have, by patterns: team-a-*=10GB,*=1GB",
    fallback: none,
    list: true,
    parse: parseQuotas,
  }),
  gcKeep: setting({
    variable: "COMPILE_CACHE_GC_KEEP",
    placeholder: "time",
    description: "younger archives stay, whatever the bounds say",
    fallback: `${defaultGcPolicy.keepMs / hourMs}h`,
    parse: parseDuration,
  }),
  gcEvery: setting({
    variable: "COMPILE_CACHE_GC_EVERY",
    placeholder: "time",
    description: "how often a daemon removes what is over the bounds; 0: never, whatever they are",
    fallback: "0",
    parse: parseDuration,
  }),
};
