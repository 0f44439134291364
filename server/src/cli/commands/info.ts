import type { Command } from "commander";
import type { Cache, CacheInfo } from "compilecache-client";
import { addCacheCommand, type CacheOptions, cacheTargetOf } from "../cache-command.ts";
import { runWithClient } from "../client-command.ts";
import { exitCode } from "../exit-code.ts";
import { terminalWidth } from "../output/fit-table.ts";
import { hangingText } from "../output/hanging-text.ts";
import { bytesText, dateText, fileCountText } from "../output/quantities.ts";

/** `compilecache info`: what one environment has, here and in the store. */
export function addInfoCommand(program: Command): void {
  addCacheCommand(program, "info", ["info", "info --namespace llama-8b --json"])
    .description("tell what an environment has, here and in the store")
    .action((options: CacheOptions) =>
      runWithClient(options, async (session) => {
        const { client, signal, print } = session;
        const target = await cacheTargetOf(options, session);
        const info = await client.getCacheInfo(target, { signal });
        print(info, infoText(info, target.namespace, target.localDir));
        return exitCode.success;
      }),
    );
}

const indent = 13;

function infoText(info: CacheInfo, namespace: string, localDir: string): string {
  const { stored } = info;
  const here = info.localExists
    ? `${fileCountText(info.localFileCount)}, ${bytesText(info.localBytes)}`
    : "no cache";
  const there = stored ? storedText(stored) : "no cache of this environment";
  const note = info.storeNote && ` (${info.storeNote})`;
  const rows = [
    ["environment", info.environmentKey],
    ["cache", `${namespace}/${info.cacheKey}`],
    ["local", `${localDir}: ${here}`],
    ["store", `${info.store}${note}: ${there}`],
  ] as const;
  return rows
    .map(([label, text]) => label.padEnd(indent) + hangingText(text, terminalWidth(), indent))
    .join("\n");
}

function storedText(cache: Cache): string {
  const { filename, generation, archiveBytes, createdAt, saver, revision, signedBy } = cache;
  return [
    filename,
    // An archive that another tool made has none.
    ...(generation > 0 ? [`generation ${generation}`] : []),
    bytesText(archiveBytes),
    ...(createdAt ? [`saved ${dateText(createdAt)} UTC`] : []),
    ...(saver ? [`by ${saver}`] : []),
    ...(revision ? [`from ${revision}`] : []),
    ...(signedBy ? [`signed by ${signedBy}`] : []),
  ].join(", ");
}
