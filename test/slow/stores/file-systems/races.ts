import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchiveName } from "../../../../server/src/store/store.ts";
import { type StoreProcess, startStoreProcesses } from "./store-processes.ts";
import type { Order } from "./store-work.ts";

/** A store that processes race on. */
export interface SharedStore {
  /** Its paths: one, or one for each client. */
  readonly roots: readonly string[];
  /** Whether of several commits at one moment the last wins, without hard links. */
  readonly lastWins: boolean;
}

const processCount = 32;
const victimCount = 4;
/** What 32 processes need to write their archives, before they all commit. */
const writtenWithinMs = 2_000;

/** Starts the processes of races, which last as long as the suite. */
export function startRacers(): StoreProcess[] {
  const processes: StoreProcess[] = [];
  before(async () => {
    processes.push(...(await startStoreProcesses(processCount)));
  });
  after(() => Promise.all(processes.map((each) => each.kill())));
  return processes;
}

/** Races of 32 processes, spread over all roots of a store. */
export function testRaces(
  what: string,
  processes: StoreProcess[],
  makeStore: () => SharedStore,
): void {
  describe(`${what}: ${processCount} processes`, () => {
    let store: SharedStore;
    let count = 0;
    let name: ArchiveName;
    before(() => {
      store = makeStore();
    });

    const nextName = () => {
      const key = String(count++).padStart(12, "0");
      name = { namespace: "races", filename: `cache_${key}.latest.tar.zst` };
    };
    const rootOf = (n: number) => store.roots[n % store.roots.length] as string;
    const run = (n: number, task: Order["task"]) =>
      (processes[n] as StoreProcess).run({ root: rootOf(n), name, task });
    const all = (task: (n: number) => Order["task"]) =>
      allOf(processes.map((_, n) => run(n, task(n))));
    /** What each root shows, which must be the same. */
    const seen = async () => {
      const [first, ...others] = await allOf(store.roots.map((_, n) => run(n, { kind: "read" })));
      for (const other of others) assert.deepEqual(other, first);
      return first as NonNullable<typeof first>;
    };
    /** Unfinished files. (An NFS client keeps removed ones that are open as `.nfs…`, and may forget them.) */
    const leftovers = () =>
      readdirSync(join(rootOf(0), "races")).filter((entry) => entry.endsWith(".partial"));

    it("create one archive: the first wins, and stays", async () => {
      for (let round = 0; round < 4; round++) {
        nextName();
        const atMs = Date.now() + writtenWithinMs;
        const results = await all((n) => ({ kind: "put", entry: `${n}`, mode: "create", atMs }));
        const winners = results.flatMap(({ answer }, n) => (answer === "committed" ? [n] : []));
        assert.ok(store.lastWins ? winners.length >= 1 : winners.length === 1, String(winners));
        const [winner = ""] = (await seen()).entries;
        assert.ok(winners.includes(Number(winner)), `${winner} is there, ${winners} won`);
      }
      assert.deepEqual(leftovers(), []);
    });

    it("refresh one archive: nothing that was acknowledged is lost", async () => {
      nextName();
      await all((n) => ({ kind: "grow", entry: `${n}` }));
      const { entries } = await seen();
      assert.equal(new Set(entries).size, entries.length);
      if (!store.lastWins) assert.equal(entries.length, processCount);
      assert.deepEqual(leftovers(), []);
    });

    it("replace one archive, while half of them read it: whole each time", async () => {
      nextName();
      await run(0, { kind: "put", entry: "before", mode: "create" });
      const versions = new Set<string>();
      let writers = processCount / 2;
      await allOf(
        processes.map(async (_, n) => {
          if (n % 4 < 2) {
            for (let round = 0; round < 5; round++)
              await run(n, { kind: "put", entry: `${n} in ${round}`, mode: "replace" }).catch(
                (error) => {
                  writers = 0;
                  throw error;
                },
              );
            writers -= 1;
          } else while (writers > 0) versions.add((await run(n, { kind: "read" })).entries.join());
        }),
      );
      assert.ok(versions.size > 1, "the readers saw no version but one, so nothing raced");
      for (const n of [0, 1, 2]) {
        await run(n, { kind: "put", entry: `last from ${n}`, mode: "replace" });
        assert.deepEqual((await seen()).entries, [`last from ${n}`]);
      }
      assert.deepEqual(leftovers(), []);
    });

    it("refresh and replace one archive: the last is there, whole", async () => {
      nextName();
      await all((n) =>
        n % 4 < 2
          ? { kind: "grow", entry: `${n}` }
          : { kind: "put", entry: `${n}`, mode: "replace" },
      );
      await seen();
      for (const n of [0, 1]) {
        await run(n, { kind: "put", entry: "replaced", mode: "replace" });
        await run(n + 1, { kind: "grow", entry: "added" });
        assert.deepEqual((await seen()).entries, ["replaced", "added"]);
      }
    });

    it("set a damaged archive aside: once, and never a sound one", async () => {
      nextName();
      await run(0, { kind: "put", entry: "damaged", mode: "create" });
      const { version } = await seen();
      const results = await all((n) =>
        n % 4 < 2
          ? { kind: "setAside", version }
          : { kind: "put", entry: "sound", mode: n < 20 ? "create" : "replace" },
      );
      const times = results.filter(({ answer }) => answer === true).length;
      assert.ok(times <= 1, `set aside ${times} times`);
      assert.deepEqual((await seen()).entries, ["sound"]);
    });

    it("refresh, some of them killed: what was acknowledged is there", async () => {
      nextName();
      const acknowledged: string[] = [];
      const grow = async (n: number, rounds: number) => {
        for (let round = 0; round < rounds; round++) {
          const entry = `${n} in ${round}`;
          await run(n, { kind: "grow", entry });
          acknowledged.push(entry);
        }
      };
      const killed = Array.from({ length: victimCount }, (_, n) =>
        assert.rejects(grow(n, Number.POSITIVE_INFINITY), { message: "the process ended" }),
      );
      const others = Array.from({ length: 12 }, (_, n) => grow(victimCount + n, 3));
      for (const victim of processes.slice(0, victimCount)) {
        await sleep(Math.random() * 500);
        await victim.kill();
      }
      await allOf([...killed, ...others]);
      processes.splice(0, victimCount, ...(await startStoreProcesses(victimCount)));

      const { entries } = await seen();
      assert.equal(new Set(entries).size, entries.length);
      const lost = acknowledged.filter((entry) => !entries.includes(entry));
      if (!store.lastWins) assert.deepEqual(lost, []);
      await run(0, { kind: "put", entry: "after", mode: "replace" });
      assert.deepEqual((await seen()).entries, ["after"]);
    });
  });
}

/** Waits for all, so that none is still under way when one has failed. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
