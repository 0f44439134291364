import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { type DaemonState, processIdentity, stateOfLife } from "compilecache-client/daemons";
import { harmless } from "../../domain/harmless-text.ts";
import { addClientCommand, type ClientOptions } from "../client-command.ts";
import { daemonFor, daemonsOfOtherStores } from "../daemon-address.ts";
import { daemonAt, hiddenStatePath, isAbsent, type KnownDaemon, knownDaemons } from "../daemons.ts";
import { exitCode } from "../exit-code.ts";
import { tellFailure } from "../failure.ts";
import { commandName } from "../hints/command-name.ts";

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
    .option("--all", "all daemons of this user, of whatever store")
    .description(
      "stop the daemon that the other commands talk to, if it is this user's, or the one that " +
        "--address names, and wait for its end",
    )
    .action(async (options: StopOptions) => {
      const { json } = options;
      const chosen = chooseDaemons(options);
      if ("problem" in chosen) {
        tellFailure({ code: "UNAVAILABLE", message: chosen.problem }, json ?? false);
        process.exitCode = exitCode.noDaemon;
        return;
      }
      const longestMs = (options.timeout ?? longestEndSeconds) * 1000;
      const ends = await Promise.all(chosen.daemons.map((daemon) => stop(daemon, longestMs)));
      if (json) process.stdout.write(`${JSON.stringify({ daemons: ends })}\n`);
      for (const { address, pid, problem } of json ? [] : ends)
        if (problem === null)
          process.stdout.write(`${harmless(`stopped ${address} (process ${pid})`)}\n`);
        else process.stderr.write(`compilecache: ${harmless(`${address} ${problem}`)}\n`);
      const isDone = ends.every(({ stopped }) => stopped);
      process.exitCode = isDone ? exitCode.success : exitCode.failure;
    });
}

type Chosen = { readonly daemons: readonly KnownDaemon[] } | { readonly problem: string };

/** Unless all are meant, the one that a call would go to: no other, whatever else runs. */
function chooseDaemons({ address, all }: StopOptions): Chosen {
  const none = "no daemon of this user runs at the usual places; any other is stopped by --address";
  if (all) {
    const daemons = knownDaemons(process.env).filter(({ isOwn }) => isOwn);
    return daemons.length > 0 ? { daemons } : { problem: none };
  }
  const taken = daemonFor(address);
  if (taken.found === "nothing") {
    const others = daemonsOfOtherStores(taken.passedOver);
    if (others.length === 0) return { problem: none };
    const orAll = `or stop all of this user: ${commandName()} stop --all`;
    return { problem: ["no daemon of this store runs", ...others, orAll].join("\n") };
  }
  if (taken.found === "system")
    return {
      problem:
        `the other commands talk to the system's daemon, which is not stopped unnamed: ` +
        `${commandName()} stop --address ${taken.address}`,
    };
  const daemon = daemonAt(taken.address);
  return !daemon.state && isAbsent(daemon)
    ? { problem: `no daemon runs at ${taken.address}: there is none to stop` }
    : { daemons: [daemon] };
}

async function stop({ address, state }: KnownDaemon, longestMs: number): Promise<Stopped> {
  const problem = state ? await endOf(state, longestMs) : unknownProcess(address);
  return { address, pid: state?.pid ?? null, stopped: problem === null, problem };
}

/** Why it is not known which process is the daemon. */
function unknownProcess(address: string): string {
  const hidden = hiddenStatePath(address);
  return hidden === undefined
    ? "says of no process that it is its daemon"
    : `says which process its daemon is in a file that this user may not read, ${hidden}: ` +
        `stop it as the user whose daemon it is, or as root`;
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
