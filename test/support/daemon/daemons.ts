import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type CacheClient, createCacheClient, type Transfer } from "compilecache-client";
import type { DaemonProcess } from "../../../fixtures/daemon-process.ts";
import { wholly } from "../wholly.ts";
import { spawnServe } from "./serve-process.ts";

/** The environment that these tests save and load for. */
export const environment = { torchVersion: "2.1.0" };

/** A daemon process, and a client that is connected to it. */
export interface TestDaemon extends DaemonProcess {
  readonly address: string;
  readonly client: CacheClient;
}

/** The store of one test, and a directory that daemons may read and write. */
export interface TestPlace {
  readonly store: string;
  readonly allowed: string;
  /** Starts a daemon over both. */
  startDaemon(variables?: Record<string, string>): Promise<TestDaemon>;
}

/** Makes both for as long as the test runs, in memory if there is a file system for it. */
export async function createTestPlace(t: TestContext): Promise<TestPlace> {
  const dir = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "cc-test-"));
  t.after(() => rm(dir, wholly));
  const [store, allowed] = [join(dir, "store"), join(dir, "local")];
  let started = 0;
  return {
    store,
    allowed,
    async startDaemon(variables = {}) {
      const address = `unix:${dir}/daemon-${started++}.sock`;
      const daemon = spawnServe(t, ["--listen", address], {
        COMPILE_CACHE_STORE: `file://${store}`,
        TORCH_CACHE_DIR: allowed,
        // Copies are off unless a directory for them is named.
        LOCAL_WORK_DIR: join(dir, "work"),
        // A test waits for its saves, however busy the machine is.
        COMPILE_CACHE_SAVE_NICE: "0",
        ...variables,
      });
      const client = createCacheClient({ address });
      t.after(() => client.close());
      await daemon.line("listening");
      return { ...daemon, address, client };
    },
  };
}

/** The names in a directory, hidden ones included; none if it is absent. */
export function namesIn(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).sort() : [];
}

/** Waits for a transfer to end; returns its last state. */
export async function finalState(client: CacheClient, operationId: string): Promise<Transfer> {
  let last: Transfer | undefined;
  for await (const state of client.watch(operationId)) last = state;
  if (!last) throw new Error(`the watch of ${operationId} sent nothing`);
  return last;
}
