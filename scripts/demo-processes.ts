import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createCacheClient } from "compilecache-client";

const launcher = resolve(import.meta.dirname, "../server/bin/compilecache.js");
const startWithinMs = 120_000;

/** A daemon that lasts as long as the demo. */
export interface DemoDaemon {
  /** Throws when it has ended by itself, with its log. */
  stop(): Promise<void>;
}

/** Starts a daemon in a process of its own; resolves when it answers. Throws with its log. */
export async function startDemoDaemon(places: {
  readonly socket: string;
  readonly store: string;
  readonly allowedDir: string;
  readonly log: string;
}): Promise<DemoDaemon> {
  const { socket, store, allowedDir, log } = places;
  const flags = { listen: `unix:${socket}`, store: `file://${store}`, "allowed-dirs": allowedDir };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const output = openSync(log, "w");
  const child = spawn(process.execPath, [launcher, "serve", ...args], {
    stdio: ["ignore", output, output],
  });
  // However this process ends, the daemon does not outlive it.
  const killed = () => child.kill("SIGKILL");
  process.once("exit", killed);
  try {
    await untilItAnswers(child, flags.listen);
  } catch (error) {
    child.kill();
    throw new Error(`the daemon did not start:\n${readFileSync(log, "utf8")}`, { cause: error });
  }
  return {
    async stop() {
      process.off("exit", killed);
      if (hasEnded(child)) throw new Error(`the daemon went away:\n${readFileSync(log, "utf8")}`);
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function untilItAnswers(child: ChildProcess, address: string): Promise<void> {
  const client = createCacheClient({ address, timeoutMs: 1000 });
  const deadlineMs = Date.now() + startWithinMs;
  try {
    for (;;) {
      if (hasEnded(child)) throw new Error("it ended");
      try {
        await client.listTransfers();
        return;
      } catch (error) {
        if (Date.now() > deadlineMs) throw error;
        await delay(50);
      }
    }
  } finally {
    client.close();
  }
}

/** Runs a program to its end, with this process's output. Throws unless it succeeds. */
export async function runToEnd(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}`);
}
