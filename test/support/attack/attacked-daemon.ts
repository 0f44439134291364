import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createCacheClient } from "compilecache-client";
import { type DaemonProcess, startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { writeFiles } from "../daemon/daemon-in-process.ts";

const environment = { torchVersion: "2.1.0" };
const attacker = fileURLToPath(new URL("./attacker.ts", import.meta.url));
const probe = fileURLToPath(new URL("./loop-probe.ts", import.meta.url));

/** A daemon that is there to be attacked. */
export interface AttackedDaemon {
  readonly daemon: DaemonProcess;
  readonly address: string;
  /** Attacks it for `ms`, with a client beside that behaves well, and waits for it to recover. */
  attackedBy(attack: string, ms: number): Promise<Aftermath>;
  end(): Promise<void>;
}

/** What an attack did. */
export interface Aftermath {
  readonly alive: boolean;
  /** The largest that the daemon was, and some seconds after the attack. */
  readonly peakMiB: number;
  readonly afterMiB: number;
  readonly stallMs: number;
  /** Calls of the client that behaves: made, failed, and the slowest. */
  readonly served: number;
  readonly refused: readonly string[];
  readonly slowestMs: number;
  /** Whether a save and a load work afterwards. */
  readonly recovered: boolean;
}

/** Starts a daemon in `dir` that may have `descriptors` open, with a history of transfers. */
export async function startAttackedDaemon(
  dir: string,
  options: { descriptors: number; history?: number; environment?: Record<string, string> },
): Promise<AttackedDaemon> {
  const localDir = `${dir}/local`;
  writeFiles(localDir, 20);
  const daemon = startDaemonProcess({
    flags: ["--listen", `unix:${dir}/daemon.sock`],
    wrapper: ["sh", "-c", `ulimit -n ${options.descriptors}; exec "$0" "$@"`],
    nodeFlags: ["--import", probe],
    hasChannel: true,
    environment: {
      COMPILE_CACHE_STORE: `file://${dir}/store`,
      TORCH_CACHE_DIR: localDir,
      COMPILE_CACHE_WORKERS: "2",
      // The launcher starts itself anew to set it, and would lose the channel.
      MALLOC_ARENA_MAX: "2",
      LOG_LEVEL: "warn",
      ...options.environment,
    },
  });
  const address = `unix:${dir}/daemon.sock`;
  const client = createCacheClient({ address });
  for (;;) {
    try {
      await client.getCacheInfo({ environment, localDir });
      break;
    } catch (error) {
      if (daemon.child.exitCode !== null) throw new Error(daemon.output(), { cause: error });
      await sleep(50);
    }
  }
  let operationId = "";
  const loads = Array.from({ length: options.history ?? 0 }, (_, n) =>
    client.load({ namespace: `history-${n}`, environment, localDir }),
  );
  for (const { transfer } of await Promise.all(loads)) operationId = transfer.operationId;
  const pid = daemon.child.pid as number;
  const status = (name: string) =>
    Number(
      new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1],
    ) / 1024;
  const stall = async () => {
    const answer = once(daemon.child, "message");
    daemon.child.send("?");
    return ((await answer)[0] as { stallMs: number }).stallMs;
  };
  return {
    daemon,
    address,
    async attackedBy(attack, ms) {
      const alive = () => daemon.child.exitCode === null && daemon.child.signalCode === null;
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
      await stall();
      const attacking = fork(attacker, [attack, address, operationId, localDir]);
      const until = Date.now() + ms;
      let [served, slowestMs] = [0, 0];
      const refused: string[] = [];
      const behave = async (isFresh: boolean) => {
        const own = isFresh ? createCacheClient({ address }) : client;
        const began = performance.now();
        try {
          await own.getCacheInfo({ environment, localDir }, { timeoutMs: 10_000 });
          served += 1;
        } catch (error) {
          refused.push((error as Error).message);
        }
        if (isFresh) own.close();
        slowestMs = Math.max(slowestMs, performance.now() - began);
      };
      for (let n = 0; alive() && Date.now() < until; n++) {
        await behave(n % 2 === 0);
        await sleep(50);
      }
      const stallMs = alive() ? await stall() : Number.NaN;
      const peakMiB = alive() ? status("VmHWM") : Number.NaN;
      attacking.kill("SIGKILL");
      await sleep(500);
      let recovered = false;
      try {
        await client.save(
          { environment, localDir, ifStoredExists: "replace" },
          { timeoutMs: 30_000 },
        );
        await client.load({ environment, localDir }, { timeoutMs: 30_000 });
        recovered = true;
      } catch (error) {
        refused.push(`afterwards: ${(error as Error).message}`);
      }
      const afterMiB = alive() ? status("VmRSS") : Number.NaN;
      return {
        alive: alive(),
        peakMiB,
        afterMiB,
        stallMs,
        served,
        refused,
        slowestMs,
        recovered,
      };
    },
    async end() {
      client.close();
      await daemon.end("SIGKILL");
    },
  };
}
