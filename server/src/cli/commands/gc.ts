import type { Command } from "commander";
import { exitCode } from "../exit-code.ts";
import { bytesText, dateText } from "../output/quantities.ts";
import { addStoreCommand, runOnStore, type StoreOptions } from "../store-command.ts";

interface GcOptions extends StoreOptions {
  delete?: true;
}

/** `compilecache gc`: keeps a store within its bounds. */
export function addGcCommand(program: Command): void {
  addStoreCommand(program, "gc", [
    "gcMaxAge",
    "gcMaxIdle",
    "gcMaxBytes",
    "gcMaxFiles",
    "gcQuotas",
    "gcKeep",
  ])
    .description(
      "show what is over the store's bounds, the least recently used first; remove it with --delete",
    )
    .option("--delete", "remove it; without, nothing is changed")
    .action(({ delete: deletes, ...options }: GcOptions) =>
      runOnStore(options, async ({ context, config, signal, print }) => {
        const { collectGarbage } = await import("../../upkeep/gc.ts");
        const { gcPolicyOf } = await import("../../config/gc-policy.ts");
        const policy = gcPolicyOf(config);
        let failed = 0;
        let files = 0;
        let bytes = 0;
        for await (const { file, reason, result, error } of collectGarbage(
          context,
          policy,
          { dryRun: deletes !== true, namespace: options.namespace },
          signal,
        )) {
          const { path, modifiedAt, usedAt } = file;
          if (result === "failed") failed += 1;
          else if (result !== "changed") {
            files += 1;
            bytes += file.bytes;
          }
          const used = usedAt ? `, used ${dateText(usedAt)}` : "";
          print(
            {
              ...{ path, bytes: file.bytes, reason, result, modified_at: modifiedAt },
              ...(usedAt ? { used_at: usedAt } : {}),
              ...(error ? { message: error.message } : {}),
            },
            `${result.padEnd(7)} ${reason.padEnd(10)} ${bytesText(file.bytes).padStart(9)}  ${path} ` +
              `(written ${dateText(modifiedAt)}${used})${error ? `: ${error.message}` : ""}`,
          );
        }
        const said = deletes ? "removed" : "would be removed: add --delete";
        if (!options.json) print({}, `${files} files, ${bytesText(bytes)} ${said}`);
        return failed > 0 ? exitCode.failure : exitCode.success;
      }),
    );
}
