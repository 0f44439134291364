import { type Command, Option } from "commander";
import type { Cache, Environment } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  runWithClient,
  type Session,
} from "../client-command.ts";
import {
  environmentText,
  namedEnvironment,
  namesEnvironment,
  requireOneWay,
} from "../environment/named-environment.ts";
import { addEnvironmentOptions, type EnvironmentOptions } from "../environment/options.ts";
import { UsageError } from "../errors/usage-error.ts";
import { exitCode } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { fitTable, terminalWidth } from "../output/fit-table.ts";
import { bytesText, dateText } from "../output/quantities.ts";

interface ListOptions extends ClientOptions, EnvironmentOptions {
  namespace?: string;
}

/** `compilecache ls`: the caches in the store. */
export function addLsCommand(program: Command): void {
  const command = addClientCommand(program, "ls", ["ls", "ls --namespace llama-8b --json"])
    .description("list the caches in the store; * marks that of this environment")
    .addOption(new Option("--namespace <name>", "the namespace to list (default: all)"));
  addEnvironmentOptions(command).action((options: ListOptions) =>
    runWithClient(options, async (session) => {
      const { client, signal, print } = session;
      const { namespace } = options;
      const environment = await environmentToMark(options, session);
      const caches: Cache[] = [];
      for await (const cache of client.allCaches({ namespace, environment }, { signal }))
        caches.push(cache);
      print({ caches }, caches.length > 0 ? tableOf(caches) : emptyText(client.address, namespace));
      return exitCode.success;
    }),
  );
}

/** Where nobody names an environment, and none is found, the list is as good without. */
async function environmentToMark(
  options: ListOptions,
  { client, signal }: Session,
): Promise<Environment | undefined> {
  requireOneWay(options);
  const { namespace = "default" } = options;
  try {
    return await namedEnvironment(options, { client, namespace, signal });
  } catch (error) {
    if (error instanceof UsageError && !namesEnvironment(options) && !options.python)
      return undefined;
    throw error;
  }
}

function emptyText(address: string, namespace: string | undefined): string {
  const where = `the store of the daemon at ${address} holds no caches`;
  if (namespace === undefined) return `${where}; save one with: ${commandName()} save`;
  return `${where} of the namespace ${namespace}; ${commandName()} ls lists those of all`;
}

/** Enough of the digest of an image, or of a commit, to tell it from others. */
const longestCell = 24;

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
  const width = terminalWidth();
  const areShort = caches.every(({ namespace }) => namespace.length <= longestNamespace);
  const whole = ["CACHE KEY", "ARCHIVE", "SAVED (UTC)", ...(areShort ? ["NAMESPACE"] : [])];
  return fitTable(forWidth(rows, width), width, whole);
}

/** What a narrow terminal has no room for; `--json`, a pipe and `info` tell all. */
const dispensable = ["GENERATION", "FILES", "FROM", "SIGNED BY", "BY", "SIZE", "ARCHIVE"];
const longestNamespace = 32;
const leastOfEnvironment = 20;

/** The columns for which there is room beside enough of the environment. */
function forWidth(rows: string[][], width: number): string[][] {
  let shown = rows;
  for (const title of dispensable) {
    const [titles = []] = shown;
    const needed = fitTable(
      shown.map((row) => row.slice(0, -1)),
      Number.POSITIVE_INFINITY,
    )
      .split("\n")
      .reduce((most, { length }) => Math.max(most, length), 0);
    if (needed + leastOfEnvironment <= width) break;
    const at = titles.indexOf(title);
    shown = shown.map((row) => row.filter((_, column) => column !== at));
  }
  return shown;
}
