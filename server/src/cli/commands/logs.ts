import { createReadStream, existsSync, readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { DaemonState, FoundDaemon } from "compilecache-client/daemons";
import { harmless } from "../../domain/harmless-text.ts";
import { addClientCommand, type ClientOptions } from "../client-command.ts";
import { adviceFor, daemonFor, daemonsOfOtherStores, sayWhich } from "../daemon-address.ts";
import { daemonAt, isAbsent } from "../daemons.ts";
import { exitCode } from "../exit-code.ts";
import { tellFailure } from "../failure.ts";

interface LogsOptions extends Pick<ClientOptions, "address" | "json"> {
  follow?: true;
  previous?: true;
  lines: number;
}

const fewLines = 100;
const lookEveryMs = 250;
const longestLine = 1024 * 1024;

/** `compilecache logs`: what the daemon that calls go to has written. */
export function addLogsCommand(program: Command): void {
  addClientCommand(program, "logs", ["logs --follow", "logs -n 20", "logs --previous"])
    .option("-f, --follow", "go on with what is written, until Ctrl-C")
    .addOption(
      new Option(
        "-p, --previous",
        "the log of the daemon before, which the Python package keeps of its own",
      ).conflicts("follow"),
    )
    .option("-n, --lines <count>", "how many of the last lines", parseCount, fewLines)
    .description("show the log of the daemon that the other commands talk to")
    .action(async ({ address, follow, previous, lines, json }: LogsOptions) => {
      const daemon = daemonFor(address);
      sayWhich(daemon);
      const log = previous ? previousLogOf(daemon) : logOf(daemon);
      if ("problem" in log) {
        const code = log.exitCode === exitCode.noDaemon ? "UNAVAILABLE" : "NOT_FOUND";
        tellFailure({ code, message: log.problem }, json ?? false);
        process.exitCode = log.exitCode;
        return;
      }
      if (log.note) process.stderr.write(`compilecache: ${harmless(log.note)}\n`);
      process.exitCode = await show(log.path, lines, follow ?? false);
    });
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

type Log =
  | { readonly path: string; readonly note?: string }
  | { readonly problem: string; readonly exitCode: number };

function logOf(daemon: FoundDaemon): Log {
  const { address, found, passedOver } = daemon;
  if (found === "nothing") {
    const isOther = daemonsOfOtherStores(passedOver).length > 0;
    const none = isOther ? "no daemon of this store runs" : "no daemon runs";
    const left = passedOver
      .map((tried) => tried.address.replace(/^unix:(.*)\.sock$/, "$1.log"))
      .find((path) => /\/own-[^/]*$/.test(path) && existsSync(path));
    if (left !== undefined)
      return { path: left, note: `${none}; this is what the last one wrote: ${left}` };
    return {
      problem: `${none}, and none has left a log\n${adviceFor(daemon)}`,
      exitCode: exitCode.noDaemon,
    };
  }
  const known = daemonAt(address);
  const { state } = known;
  const absent = isAbsent(known) ? `no daemon runs at ${address}` : undefined;
  if (state?.log)
    return {
      path: state.log,
      ...(absent && { note: `${absent}; this is what the last one wrote: ${state.log}` }),
    };
  if (absent) return { problem: `${absent}\n${adviceFor(daemon)}`, exitCode: exitCode.noDaemon };
  const where = state
    ? outputOf(state)
    : "nothing beside its socket says where; look where it was started";
  return { problem: `the log of ${address} is no file: ${where}`, exitCode: exitCode.failure };
}

/** The log of the daemon before the one whose log this is, or would be. */
function previousLogOf(daemon: FoundDaemon): Log {
  const log = logOf(daemon);
  if ("problem" in log) return log;
  const path = log.path.replace(/\.log$/, ".previous.log");
  if (path !== log.path && existsSync(path)) return { path };
  return {
    problem:
      `no log of a daemon before is kept: ${path === log.path ? `${log.path} is the only one` : `${path} is not there`}\n` +
      "The Python package keeps that of the daemon before the one that it starts.",
    exitCode: exitCode.failure,
  };
}

/** Where a daemon's standard output goes, in words. */
function outputOf({ pid, started_by }: DaemonState): string {
  let output = "";
  try {
    output = readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    // Another user's, or in another container.
  }
  const goes = `it goes to the standard output of process ${pid}`;
  const by = `which was started by ${started_by}`;
  if (output.startsWith("socket:"))
    return `${goes}, a socket; of a service: journalctl _PID=${pid}`;
  if (output.startsWith("pipe:")) return `${goes}, a pipe to who started it; ${by}`;
  if (output) return `${goes}, ${output}; ${by}`;
  return `${goes}, ${by}`;
}

async function show(path: string, lines: number, follow: boolean): Promise<number> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    process.stderr.write(`compilecache: ${harmless((error as Error).message)}\n`);
    return exitCode.failure;
  }
  try {
    let at = (await file.stat()).size;
    const last: string[] = [];
    const reader = createInterface(createReadStream(path, { end: Math.max(at - 1, 0) }));
    if (at > 0)
      for await (const line of reader) {
        last.push(line);
        if (last.length > lines) last.shift();
      }
    print(last);
    if (!follow) return exitCode.success;
    const interruption = new AbortController();
    process.once("SIGINT", () => interruption.abort());
    const decoder = new StringDecoder("utf8");
    let begun = "";
    while (!interruption.signal.aborted) {
      const { size } = await file.stat();
      // The file is emptied where its daemon starts anew.
      if (size < at) at = 0;
      const { bytesRead, buffer } = await file.read({ position: at });
      at += bytesRead;
      const texts = (begun + decoder.write(buffer.subarray(0, bytesRead))).split("\n");
      begun = texts.pop()?.slice(-longestLine) ?? "";
      print(texts);
      if (bytesRead === 0)
        await sleep(lookEveryMs, undefined, { signal: interruption.signal }).catch(() => {});
    }
    return exitCode.interrupted;
  } finally {
    await file.close();
  }
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.map(harmless).join("\n")}\n`);
}
