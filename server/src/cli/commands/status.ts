import type { Command } from "commander";
import { CacheServiceError, createCacheClient } from "compilecache-client";
import type { FoundDaemon } from "compilecache-client/daemons";
import { addClientCommand, type ClientOptions } from "../client-command.ts";
import {
  adviceFor,
  daemonFor,
  daemonsOfOtherStores,
  isNobodyThere,
  withoutAdvice,
} from "../daemon-address.ts";
import { daemonAt, isAbsent, type KnownDaemon, knownDaemons } from "../daemons.ts";
import { exitCode } from "../exit-code.ts";
import { type DaemonStatus, statusText } from "../output/daemon-text.ts";
import { harmlessLines } from "../output/harmless-lines.ts";

const longestAnswerMs = 5_000;

/** `compilecache status`: the daemons of this user and of the system, and which one calls go to. */
export function addStatusCommand(program: Command): void {
  addClientCommand(program, "status", ["status", "status --json"])
    .description("show which daemons run, and which one the other commands talk to")
    .action(async (options: ClientOptions) => {
      const taken = daemonFor(options.address);
      const known = knownDaemons(process.env);
      const isTaken = ({ address, state }: KnownDaemon) =>
        address === taken.address || state?.addresses.includes(taken.address) === true;
      const isFound = taken.found !== "nothing";
      const all = isFound && !known.some(isTaken) ? [daemonAt(taken.address), ...known] : known;
      const timeoutMs = options.timeout === undefined ? longestAnswerMs : options.timeout * 1000;
      const daemons = await Promise.all(
        all.map(async (daemon) => ({
          ...(await statusOf(daemon, timeoutMs)),
          taken: isFound && isTaken(daemon),
        })),
      );
      const text = [...daemons.map(statusText), ...missingText(taken, daemons)].join("\n\n");
      process.stdout.write(`${options.json ? JSON.stringify({ daemons }) : harmlessLines(text)}\n`);
      const answers = daemons.some(({ state }) => state === "serving");
      process.exitCode = answers ? exitCode.success : exitCode.noDaemon;
    });
}

/** What to do where the daemon that calls go to is not there. */
function missingText(taken: FoundDaemon, daemons: readonly DaemonStatus[]): string[] {
  const advice = adviceFor(taken, { inStatus: true });
  if (taken.found !== "nothing") {
    const silent = daemons.find((daemon) => daemon.taken && daemon.state === "silent");
    return silent && isNobodyThere(taken, silent.problem ?? "") ? [advice] : [];
  }
  return [
    daemonsOfOtherStores(taken.passedOver).length > 0
      ? advice
      : `no daemon runs at the usual places\n${advice}`,
  ];
}

async function statusOf(
  daemon: KnownDaemon,
  timeoutMs: number,
): Promise<Omit<DaemonStatus, "taken">> {
  const { address, state } = daemon;
  const said = {
    address,
    addresses: state?.addresses ?? [address],
    pid: state?.pid ?? null,
    version: state?.version ?? null,
    store: state?.store ?? null,
    log: state?.log ?? null,
    started_at: state?.started_at ?? null,
    started_by: state?.started_by ?? null,
  };
  try {
    const client = createCacheClient({ address, timeoutMs });
    try {
      let transfers = 0;
      for await (const _ of client.allTransfers()) transfers += 1;
      const serving = state?.stopping_since === undefined ? "serving" : "stopping";
      return { ...said, state: serving, transfers, problem: null };
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof CacheServiceError)) throw error;
    // One that wants a token serves those who have it.
    const refuses = error.reason === "UNAUTHENTICATED" || error.reason === "FORBIDDEN";
    const message = isAbsent(daemon)
      ? `no daemon runs at ${address}`
      : withoutAdvice(error.message);
    return { ...said, state: refuses ? "serving" : "silent", transfers: null, problem: message };
  }
}
