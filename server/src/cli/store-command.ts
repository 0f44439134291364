import type { Command } from "commander";
import { ConfigError, readConfig } from "../config/config.ts";
import { type Config, type SettingKey, settings } from "../config/settings.ts";
import { CacheError } from "../domain/cache-error.ts";
import { harmless } from "../domain/harmless-text.ts";
import type { Logger } from "../domain/logger.ts";
import type { ArchiveName } from "../store/store.ts";
import type { UpkeepContext } from "../upkeep/context.ts";
import { examplesHelp } from "./examples-help.ts";
import { exitCode } from "./exit-code.ts";
import { failureOf, tellFailure } from "./failure.ts";
import { inSnakeCase } from "./output/snake-case.ts";
import { addSettings, flagsGiven } from "./setting-options.ts";

/** What the work of a command on a store is given. */
export interface StoreSession {
  readonly context: UpkeepContext;
  readonly config: Config;
  /** The archives that it is about. */
  readonly names: readonly ArchiveName[];
  /** Aborts on SIGINT (Ctrl-C) and SIGTERM. */
  readonly signal: AbortSignal;
  /** Prints one answer: with `--json` as a line of JSON, else the text. */
  print(answer: unknown, text: string): void;
}

/** The options that all commands on a store have, besides those of its settings. */
export interface StoreOptions extends Record<string, unknown> {
  namespace?: string;
  json?: true;
}

const storeSettings: readonly SettingKey[] = [
  "store",
  "fileStoreDir",
  "s3Anonymous",
  "s3Sse",
  "s3SseKmsKeyId",
];

const interruptions = ["SIGINT", "SIGTERM"] as const;

const exitCodes = `
Exit codes:
  0    done
  1    failed, or something is not as it should be, which the output names
  2    wrong usage
  130  interrupted (SIGINT, SIGTERM); what was done until then stays`;

/** Adds a command that works on the store itself, and needs no daemon. */
export function addStoreCommand(
  program: Command,
  name: string,
  more: readonly SettingKey[],
  examples: readonly string[],
): Command {
  const command = program
    .command(name)
    .helpOption("-h, --help", "show this help")
    .option("--namespace <name>", "only this namespace (default: all)", (text) => text.trim())
    .option("--json", "print JSON for programs, a line for each cache");
  return addSettings(command, [...storeSettings, ...more]).addHelpText(
    "after",
    () => examplesHelp(examples) + exitCodes,
  );
}

/** Runs such a command's work, and sets the exit code: what the work returns, or what its error means. */
export async function runOnStore(
  { namespace, json, ...options }: StoreOptions,
  work: (session: StoreSession) => Promise<number>,
): Promise<void> {
  const interruption = new AbortController();
  const { signal } = interruption;
  const interrupt = () => interruption.abort(new CacheError("CANCELLED", "interrupted"));
  // The second one ends the process at once.
  for (const name of interruptions) process.once(name, interrupt);
  const print = (answer: unknown, text: string) =>
    process.stdout.write(`${json ? JSON.stringify(inSnakeCase(answer)) : harmless(text)}\n`);
  try {
    const flags = flagsGiven(options as Record<string, string>);
    const config = readConfig(flags, process.env, complain);
    const named = [
      flags.store,
      flags.fileStoreDir,
      process.env[settings.store.variable],
      process.env[settings.fileStoreDir.variable],
    ];
    if (!named.some((text) => text?.trim()) && config.store.kind === "file")
      complain(`no store was named; this is the default, file://${config.store.path}`);
    // The other commands start sooner without the server's libraries.
    const { openUpkeep } = await import("../open-upkeep.ts");
    await using upkeep = await openUpkeep(config, complaints, signal);
    const names = await upkeep.context.store.list(namespace, signal);
    if (namespace !== undefined && names.length === 0)
      complain(`the store holds no archives of the namespace ${namespace}`);
    process.exitCode = await work({ context: upkeep.context, config, names, signal, print });
  } catch (error) {
    process.exitCode = exitCodeOf(error, signal);
    tellFailure(failureOf(error), json ?? false);
  } finally {
    for (const name of interruptions) process.off(name, interrupt);
  }
}

function exitCodeOf(error: unknown, signal: AbortSignal): number {
  if (signal.aborted) return exitCode.interrupted;
  if (error instanceof ConfigError) return exitCode.usage;
  if (error instanceof CacheError) return exitCode.failure;
  throw error;
}

function complain(text: string): void {
  process.stderr.write(`compilecache: ${harmless(text)}\n`);
}

/** What a store says while it works, for people. */
const complaints: Logger = {
  debug() {},
  info() {},
  warn: (message) => complain(message),
  error: (message) => complain(message),
  child: () => complaints,
};
