import type { Command } from "commander";
import type { GcPolicy } from "../../upkeep/gc-plan.ts";
import type { SetAside } from "../../upkeep/set-aside.ts";
import { exitCode } from "../exit-code.ts";
import { ageText, bytesText, dateText, fileCountText } from "../output/quantities.ts";
import { setAsideText } from "../output/set-aside-text.ts";
import { addStoreCommand, runOnStore, type StoreOptions } from "../store-command.ts";

interface GcOptions extends StoreOptions {
  delete?: true;
}

/** `compilecache gc`: keeps a store within its bounds. */
export function addGcCommand(program: Command): void {
  addStoreCommand(
    program,
    "gc",
    ["gcMaxAge", "gcMaxIdle", "gcMaxBytes", "gcMaxFiles", "gcQuotas", "gcKeep"],
    [
      "gc --gc-max-bytes 50GB --gc-max-idle 30d",
      "gc --gc-max-bytes 50GB --gc-max-idle 30d --delete",
    ],
  )
    .description(
      "show what is over the store's bounds, the least recently used first; remove it with --delete",
    )
    .option("--delete", "remove it; without, nothing is changed")
    .action(({ delete: deletes, ...options }: GcOptions) =>
      runOnStore(options, async ({ context, config, signal, print }) => {
        const { collectGarbage } = await import("../../upkeep/gc.ts");
        const { gcPolicyOf } = await import("../../config/gc-policy.ts");
        const policy = gcPolicyOf(config);
        if (!options.json) print({}, boundsText(policy));
        let failed = 0;
        let young = 0;
        let aside: readonly SetAside[] = [];
        let files = 0;
        let bytes = 0;
        for await (const { file, reason, result, error } of collectGarbage(
          context,
          policy,
          {
            dryRun: deletes !== true,
            namespace: options.namespace,
            onYoung: (files) => {
              young = files.length;
            },
            onSetAside: (archives) => {
              aside = archives;
            },
          },
          signal,
        )) {
          const { path, namespace, modifiedAt, usedAt } = file;
          if (result === "failed") failed += 1;
          else if (result !== "changed") {
            files += 1;
            bytes += file.bytes;
          }
          const used = usedAt ? `, used ${dateText(usedAt)}` : "";
          print(
            {
              ...{ namespace, path, bytes: file.bytes, reason, result, modified_at: modifiedAt },
              ...(usedAt ? { used_at: usedAt } : {}),
              ...(error ? { message: error.message } : {}),
            },
            `${result.padEnd(7)} ${reason.padEnd(10)} ${bytesText(file.bytes).padStart(9)}  ${shown(file)} ` +
              `(written ${dateText(modifiedAt)}${used})${error ? `: ${error.message}` : ""}`,
          );
        }
        if (!options.json) {
          for (const each of aside.filter(({ goesAt }) => goesAt.getTime() > Date.now()))
            print({}, setAsideText(each));
          if (young > 0)
            print({}, `kept though over a bound: ${fileCountText(young)} too young (--gc-keep)`);
          const said = deletes ? "removed" : "would be removed: add --delete";
          print(
            {},
            files === 0 && failed === 0
              ? `nothing to remove of ${context.store.url}`
              : `${fileCountText(files)}, ${bytesText(bytes)} of ${context.store.url} ${said}`,
          );
        }
        return failed > 0 ? exitCode.failure : exitCode.success;
      }),
    );
}

/** Where a file lies, with its namespace as people give it, not as the store writes that. */
function shown({ namespace, path }: { namespace: string; path: string }): string {
  return namespace === "" ? path : namespace + path.slice(path.indexOf("/"));
}

/** What a store may hold, so that nobody takes a run without bounds for one that found nothing. */
function boundsText(policy: GcPolicy): string {
  const { maxAgeMs, maxIdleMs, maxBytes, maxFiles, quotas, keepMs } = policy;
  const bounds = [
    ...(maxAgeMs === undefined ? [] : [`written within ${ageText(maxAgeMs)}`]),
    ...(maxIdleMs === undefined ? [] : [`used within ${ageText(maxIdleMs)}`]),
    ...(maxBytes === undefined ? [] : [`${bytesText(maxBytes)} in all`]),
    ...(maxFiles === undefined ? [] : [`${fileCountText(maxFiles)} in all`]),
    ...(quotas ?? []).map((quota) => `${bytesText(quota.maxBytes)} in each ${quota.namespaces}`),
  ];
  if (bounds.length === 0)
    return "no bounds are set (--gc-max-age, --gc-max-idle, --gc-max-bytes, --gc-max-files, --gc-quotas): only leftovers go";
  return `bounds: ${bounds.join(", ")}; what is younger than ${ageText(keepMs)} stays`;
}
