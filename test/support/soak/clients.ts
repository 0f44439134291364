import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type CacheClient, CacheServiceError, createCacheClient } from "compilecache-client";
import { checkAll, writeChecked } from "./checked-files.ts";

const namespaces = ["team-a", "team-b", "default"];
const environments = ["2.1.0", "2.2.0", "2.3.0", "2.4.0"].map((torchVersion) => ({ torchVersion }));

/** What the clients have seen. */
export interface Tally {
  /** How often each operation was answered, and how often it failed in words. */
  readonly done: Map<string, number>;
  readonly failed: Map<string, number>;
  /** What should not have been: a file that is not what it is named after, an error without words. */
  readonly wrong: string[];
}

export function createTally(): Tally {
  return { done: new Map(), failed: new Map(), wrong: [] };
}

const pick = <T>(choices: readonly T[]): T =>
  choices[Math.floor(Math.random() * choices.length)] as T;

/**
 * Works with one of the daemons after the other, in a directory of its own, until `signal` aborts:
 * whatever it loads is checked, and only an error of a known reason is none.
 */
export async function workUntil(
  addresses: readonly string[],
  directory: string,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const clients = addresses.map((address) => createCacheClient({ address, timeoutMs: 60_000 }));
  mkdirSync(directory, { recursive: true });
  const count = (map: Map<string, number>, what: string) => map.set(what, (map.get(what) ?? 0) + 1);
  while (!signal.aborted) {
    const name = pick(Object.keys(operations)) as keyof typeof operations;
    const local = join(directory, "cache");
    try {
      await operations[name](pick(clients), local);
      count(tally.done, name);
    } catch (error) {
      if (!(error instanceof CacheServiceError) || error.reason === "INTERNAL")
        tally.wrong.push(`${name}: ${error}`);
      else count(tally.failed, `${name}: ${error.reason ?? error.code}`);
    }
    const { wrong } = checkAll(directory);
    tally.wrong.push(...wrong.map((file) => `${name}: ${file} is not what it was`));
  }
  for (const client of clients) client.close();
}

const cacheOf = () => ({ namespace: pick(namespaces), environment: pick(environments) });

const operations = {
  load: (client: CacheClient, localDir: string) =>
    client.load({ ...cacheOf(), localDir, ifLocalExists: pick(["skip", "merge", "replace"]) }),
  save: (client: CacheClient, localDir: string) => {
    writeChecked(localDir, 10, 60_000);
    const ifStoredExists = pick(["skip", "refresh", "replace"] as const);
    return client.save({ ...cacheOf(), localDir, ifStoredExists });
  },
  async detached(client: CacheClient, localDir: string) {
    const { transfer } = await client.load({ ...cacheOf(), localDir, detach: true });
    for await (const _ of client.watch(transfer.operationId)) if (Math.random() < 0.3) break;
    await client.cancelTransfer(transfer.operationId);
  },
  clear: (client: CacheClient, localDir: string) => client.clearLocalCache({ localDir }),
  async remove(client: CacheClient) {
    const { caches } = await client.listCaches({});
    const cache = caches.length > 0 ? pick(caches) : undefined;
    if (cache) await client.deleteCache(cache);
  },
  info: (client: CacheClient, localDir: string) => client.getCacheInfo({ ...cacheOf(), localDir }),
  async fresh(_client: CacheClient, localDir: string) {
    rmSync(localDir, { recursive: true, force: true });
    mkdirSync(localDir);
  },
} satisfies Record<string, (client: CacheClient, localDir: string) => Promise<unknown>>;
