import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { type DaemonState, processIdentity, stateOfLife } from "compilecache-client/daemons";
import { harmless } from "../../domain/harmless-text.ts";
import { addClientCommand, type ClientOptions } from "../client-command.ts";
import { daemonFor } from "../daemon-address.ts";
import { daemonAt, isAbsent, type KnownDaemon, knownDaemons } from "../daemons.ts";
import { exitCode } from "../exit-code.ts";
import { tellFailure } from "../failure.ts";

interface StopOptions extends ClientOptions {
  all?: true;
}

// Longer than a daemon gives its transfers by default, and then needs to cancel them.
const longestEndSeconds = 30;
const lookEveryMs = 50;

interface Stopped {
  readonly address: string;
  readonly pid: number | null;
  readonly stopped: boolean;
  /** Why it was not. */
  readonly problem: string | null;
}

/** `compilecache stop`: ends daemons of this user in order. */
export function addStopCommand(program: Command): void {
  addClientCommand(program, "stop", ["stop", "stop --all"])
    .option("--all", "all daemons of this user")
    .description("stop this user's daemon, or the one that --address names, and wait for its end")
    .action(async (options: StopOptions) => {
      const own = knownDaemons(process.env).filter(({ isOwn }) => isOwn);
      const { address, all, json } = options;
      const fail = (status: number, code: string, message: string) => {
        tellFailure({ code, message }, json ?? false);
        process.exitCode = status;
      };
      const chosen = !all && address !== undefined ? [daemonAt(address)] : own;
      if (chosen.length === 0)
        return fail(
          exitCode.noDaemon,
          "UNAVAILABLE",
          "no daemon of this user runs; a system's is stopped by --address",
        );
      const [named] = chosen;
      if (named && !named.state && isAbsent(named))
        return fail(
          exitCode.noDaemon,
          "UNAVAILABLE",
          `no daemon runs at ${named.address}: there is none to stop`,
        );
      if (chosen.length > 1 && !all) {
        const lines = chosen.map(({ address, state }) => `  ${address}  ${state?.store ?? ""}`);
        const words = "several daemons of this user run: say which with --address, or --all";
        return fail(exitCode.usage, "INVALID_ARGUMENT", [words, ...lines].join("\n"));
      }
      const longestMs = (options.timeout ?? longestEndSeconds) * 1000;
      // Looked up before their ends.
      const expected = daemonFor(address).address;
      const ends = await Promise.all(chosen.map((daemon) => stop(daemon, longestMs)));
      if (json) process.stdout.write(`${JSON.stringify({ daemons: ends })}\n`);
      for (const [at, { address, pid, problem }] of json ? [] : ends.entries()) {
        const store = all ? undefined : otherStoreOf(chosen[at], expected);
        if (problem === null)
          process.stdout.write(
            `${harmless(`stopped ${address} (process ${pid})${store ? `, the daemon of another store, ${store}` : ""}`)}\n`,
          );
        else process.stderr.write(`compilecache: ${harmless(`${address} ${problem}`)}\n`);
      }
      const isDone = ends.every(({ stopped }) => stopped);
      process.exitCode = isDone ? exitCode.success : exitCode.failure;
    });
}

/** The store of a daemon that the other commands would not have talked to. */
function otherStoreOf(daemon: KnownDaemon | undefined, expected: string): string | undefined {
  if (!daemon?.state || daemon.address === expected) return undefined;
  const { addresses, store } = daemon.state;
  return addresses.includes(expected) ? undefined : store;
}

async function stop({ address, state }: KnownDaemon, longestMs: number): Promise<Stopped> {
  const problem = state
    ? await endOf(state, longestMs)
    : "says of no process that it is its daemon";
  return { address, pid: state?.pid ?? null, stopped: problem === null, problem };
}

/** Why a daemon has not ended; null once it has. */
async function endOf(state: DaemonState, longestMs: number): Promise<string | null> {
  const { pid } = state;
  const life = stateOfLife(state);
  if (life === "gone") return `has no daemon any more: process ${pid} is gone`;
  if (life === "unknown")
    return `has a daemon of another container, where it is process ${pid}: stop it there`;
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH") return null;
    return `may not be stopped by this user: process ${pid} is another user's (${state.started_by})`;
  }
  const deadline = performance.now() + longestMs;
  while (processIdentity(pid) === state.process) {
    if (performance.now() > deadline)
      return `has not ended after ${longestMs / 1000} s; a second stop ends it at once (process ${pid})`;
    await sleep(lookEveryMs);
  }
  return null;
}
