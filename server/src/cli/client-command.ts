import { type Command, InvalidArgumentError, Option } from "commander";
import { type CacheClient, CacheServiceError, createCacheClient } from "compilecache-client";
import type { FoundDaemon } from "compilecache-client/daemons";
import {
  addressOption,
  adviceFor,
  daemonFor,
  isNobodyThere,
  sayWhich,
  withoutAdvice,
} from "./daemon-address.ts";
import { UnknownCacheKey } from "./environment/named-environment.ts";
import { UsageError } from "./errors/usage-error.ts";
import { examplesHelp } from "./examples-help.ts";
import { exitCode, exitCodeHelp, exitCodeOfError } from "./exit-code.ts";
import { type Failure, failureOf, tellFailure } from "./failure.ts";
import { harmlessLines } from "./output/harmless-lines.ts";
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
 * error means. `whatStays` is told where --timeout ended it.
 */
export async function runWithClient(
  options: ClientOptions,
  work: (session: Session) => Promise<number>,
  whatStays = "",
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
    tellFailure(
      interrupted
        ? interruptedFailure
        : failureToTell(error, daemon, givenUpText(options, whatStays)),
      json,
    );
  } finally {
    process.off("SIGINT", interrupt);
    client?.close();
  }
}

/** Throws what is none of the errors that a person can do something about. */
function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof UnknownCacheKey) return exitCode.notFound;
  if (error instanceof CacheServiceError) return exitCodeOfError(error);
  throw error;
}

const interruptedFailure: Failure = {
  code: "CANCELLED",
  reason: "CANCELLED",
  message: "interrupted",
};

/** In place of gRPC's words for a deadline, which nobody has set by that name. */
function givenUpText({ timeout }: ClientOptions, whatStays: string): string | undefined {
  return timeout === undefined ? undefined : `given up after ${timeout} s (--timeout)${whatStays}`;
}

function failureToTell(error: unknown, daemon: FoundDaemon, givenUp: string | undefined): Failure {
  const failure = failureOf(error);
  if (givenUp !== undefined && failure.reason === "DEADLINE_EXCEEDED")
    return { ...failure, message: givenUp };
  if (error instanceof UnknownCacheKey)
    return { ...failure, code: "NOT_FOUND", reason: "CACHE_NOT_FOUND" };
  if (!(error instanceof CacheServiceError) || exitCodeOfError(error) !== exitCode.noDaemon)
    return failure;
  const problem = withoutAdvice(failure.message);
  if (!isNobodyThere(daemon, problem)) return failure;
  return { ...failure, message: `${problem}\n${adviceFor(daemon)}` };
}
