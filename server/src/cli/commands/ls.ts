import { type Command, Option } from "commander";
import type { Cache } from "compilecache-client";
import { addClientCommand, type ClientOptions, runWithClient } from "../client-command.ts";
import {
  allowEnvironment,
  type EnvironmentOptions,
  environmentOf,
  environmentText,
} from "../environment-options.ts";
import { exitCode } from "../exit-code.ts";
import { bytesText, dateText } from "../output/quantities.ts";

interface ListOptions extends ClientOptions, Partial<EnvironmentOptions> {
  namespace?: string;
}

/** `compilecache ls`: the caches in the store. */
export function addLsCommand(program: Command): void {
  allowEnvironment(addClientCommand(program, "ls"))
    .description("list the caches in the store; naming an environment marks its cache with *")
    .addOption(new Option("--namespace <name>", "the namespace to list (default: all)"))
    .action((options: ListOptions) =>
      runWithClient(options, async ({ client, signal, print }) => {
        const { namespace, torch } = options;
        const environment = torch === undefined ? undefined : environmentOf({ ...options, torch });
        const caches: Cache[] = [];
        for await (const cache of client.allCaches({ namespace, environment }, { signal }))
          caches.push(cache);
        print({ caches }, caches.length > 0 ? tableOf(caches) : "the store holds no caches");
        return exitCode.success;
      }),
    );
}

/** Enough of the digest of an image, or of a commit, to tell it from others. */
const longestCell = 24;

/** A column that says nothing of any cache is left out. */
function tableOf(caches: readonly Cache[]): string {
  const rows = [
    [
      ...["", "NAMESPACE", "CACHE KEY", "GENERATION", "FILES"],
      ...["SIZE", "ARCHIVE", "SAVED (UTC)", "BY", "FROM", "SIGNED BY", "ENVIRONMENT"],
    ],
    ...caches.map((cache) => [
      cache.isCurrentEnvironment ? "*" : "",
      cache.namespace,
      cache.cacheKey,
      cache.generation > 0 ? String(cache.generation) : "-",
      cache.fileCount > 0 ? String(cache.fileCount) : "-",
      cache.contentBytes > 0 ? bytesText(cache.contentBytes) : "-",
      cache.archiveBytes > 0 ? bytesText(cache.archiveBytes) : "unreadable",
      cache.createdAt ? dateText(cache.createdAt) : "-",
      cache.saver?.slice(0, longestCell) ?? "-",
      cache.revision?.slice(0, longestCell) ?? "-",
      cache.signedBy ?? "-",
      cache.environment ? environmentText(cache.environment) : "-",
    ]),
  ];
  const widths = rows[0]?.map((_, column) => {
    const [title = "", ...cells] = rows.map((row) => row[column] ?? "");
    const isSaid = title === "" || cells.some((cell) => cell !== "-");
    return isSaid ? Math.max(title.length, ...cells.map(({ length }) => length)) : undefined;
  });
  return rows
    .map((row) =>
      row
        .flatMap((cell, column) => {
          const width = widths?.[column];
          return width === undefined ? [] : [cell.padEnd(width)];
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
