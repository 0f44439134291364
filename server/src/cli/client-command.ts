import { type Command, InvalidArgumentError, Option } from "commander";
import { type CacheClient, CacheServiceError, createCacheClient } from "compilecache-client";
import type { FoundDaemon } from "compilecache-client/daemons";
import { harmless } from "../domain/harmless-text.ts";
import { addressOption, adviceFor, daemonFor, sayWhich } from "./daemon-address.ts";
import { UnknownCacheKey } from "./environment/named-environment.ts";
import { UsageError } from "./errors/usage-error.ts";
import { examplesHelp } from "./examples-help.ts";
import { exitCode, exitCodeHelp, exitCodeOfError } from "./exit-code.ts";
import { messageInFlags } from "./flag-words.ts";
import { inSnakeCase } from "./output/snake-case.ts";

/** What the work of a command that talks to a daemon is given. */
export interface Session {
  readonly client: CacheClient;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Prints the answer: with `--json` as one line of JSON, else the text. */
  print(answer: unknown, text: string): void;
  /** Whether `--json` is given: a program reads the output. */
  readonly json: boolean;
}

/** The options that all commands have that talk to a daemon. */
export interface ClientOptions {
  address?: string;
  timeout?: number;
  json?: true;
}

/** Adds such a command, with its common options, and with examples and exit codes in its help. */
export function addClientCommand(
  program: Command,
  nameAndArguments: string,
  examples: readonly string[],
): Command {
  return program
    .command(nameAndArguments)
    .helpOption("-h, --help", "show this help")
    .addOption(addressOption())
    .option("--timeout <seconds>", "give up after this long", parseSeconds)
    .option("--json", "print JSON for programs")
    .addHelpText("after", () => examplesHelp(examples) + exitCodeHelp);
}

/** The directory that a command loads, saves or looks at, as the user names it. */
export function localDirOption(): Option {
  return new Option("--dir <path>", "the local directory (default: where torch keeps its cache)");
}

/** The namespace of the cache that a command is about. */
export function namespaceOption(): Option {
  return new Option("--namespace <name>", "the cache's namespace")
    .env("COMPILE_CACHE_NAMESPACE")
    .argParser((text) => text.trim() || "default")
    .default("default");
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds > 0))
    throw new InvalidArgumentError("It must be a number above 0.");
  return seconds;
}

/**
 * Runs a command's work with a client, and sets the exit code: what the work returns, or what its
 * error means.
 */
export async function runWithClient(
  options: ClientOptions,
  work: (session: Session) => Promise<number>,
): Promise<void> {
  const json = options.json ?? false;
  const daemon = daemonFor(options.address);
  sayWhich(daemon);
  let client: CacheClient | undefined;
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt);
  const print = (answer: unknown, text: string) =>
    process.stdout.write(`${json ? JSON.stringify(inSnakeCase(answer)) : harmlessLines(text)}\n`);
  try {
    client = createCacheClient({
      address: daemon.address,
      timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
    });
    process.exitCode = await work({ client, signal: interruption.signal, print, json });
  } catch (error) {
    const interrupted = interruption.signal.aborted;
    process.exitCode = interrupted ? exitCode.interrupted : exitCodeOf(error);
    if (json) print({ error: errorParts(error) }, "");
    else
      process.stderr.write(
        `compilecache: ${harmlessLines(errorText(error as Error, interrupted, daemon))}\n`,
      );
  } finally {
    process.off("SIGINT", interrupt);
    client?.close();
  }
}

/** A daemon of another version, or another's, may not have made harmless what it names. */
export function harmlessLines(text: string): string {
  return text.split("\n").map(harmless).join("\n");
}

/** Throws what is none of the errors that a person can do something about. */
function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof UnknownCacheKey) return exitCode.notFound;
  if (error instanceof CacheServiceError) return exitCodeOfError(error);
  throw error;
}

function errorParts(error: unknown): unknown {
  if (error instanceof CacheServiceError) return error;
  const { message } = error as Error;
  if (error instanceof UnknownCacheKey) return { code: "NOT_FOUND", message, violations: [] };
  return { code: "INVALID_ARGUMENT", message, violations: [] };
}

function errorText(error: Error, interrupted: boolean, daemon: FoundDaemon): string {
  if (interrupted) return "interrupted";
  if (!(error instanceof CacheServiceError)) return error.message;
  if (exitCodeOfError(error) !== exitCode.noDaemon) return messageInFlags(error, process.argv);
  return `${error.message}\n${adviceFor(daemon)}`;
}
