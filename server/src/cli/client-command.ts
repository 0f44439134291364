import { type Command, InvalidArgumentError, Option } from "commander";
import { type CacheClient, CacheServiceError, createCacheClient } from "compilecache-client";
import { harmless } from "../domain/harmless-text.ts";
import { exitCode, exitCodeHelp, exitCodeOfError } from "./exit-code.ts";

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

/** Adds such a command, with its common options and the exit codes in its help. */
export function addClientCommand(program: Command, nameAndArguments: string): Command {
  return program
    .command(nameAndArguments)
    .addOption(
      new Option("--address <address>", "the daemon: unix:/path or host:port").env(
        "COMPILE_CACHE_ADDRESS",
      ),
    )
    .option("--timeout <seconds>", "give up after this long", parseSeconds)
    .option("--json", "print JSON for programs")
    .addHelpText("after", exitCodeHelp);
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
  let client: CacheClient | undefined;
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt);
  const print = (answer: unknown, text: string) =>
    process.stdout.write(`${json ? JSON.stringify(answer) : harmlessLines(text)}\n`);
  try {
    client = createCacheClient({
      address: options.address,
      timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
    });
    process.exitCode = await work({ client, signal: interruption.signal, print, json });
  } catch (error) {
    if (!(error instanceof CacheServiceError)) throw error;
    const interrupted = interruption.signal.aborted;
    process.exitCode = interrupted ? exitCode.interrupted : exitCodeOfError(error);
    if (json) print({ error }, "");
    else
      process.stderr.write(
        `compilecache: ${harmlessLines(errorText(error, interrupted, client?.address))}\n`,
      );
  } finally {
    process.off("SIGINT", interrupt);
    client?.close();
  }
}

/** A daemon of another version, or another's, may not have made harmless what it names. */
function harmlessLines(text: string): string {
  return text.split("\n").map(harmless).join("\n");
}

function errorText(error: CacheServiceError, interrupted: boolean, address?: string): string {
  if (interrupted) return "interrupted";
  if (exitCodeOfError(error) !== exitCode.noDaemon) return error.message;
  return `${error.message}\nStart one with: npx compilecache serve --listen ${address}`;
}
