import { rmSync } from "node:fs";
import { join } from "node:path";
import { environment } from "../../source-cache.ts";
import type { SaveRun, StoreKind } from "../figures.ts";
import { storeKinds } from "../figures.ts";
import type { Bench } from "./bench.ts";
import { growCopy, refresh } from "./calls.ts";
import { allAtOnce, type Round, toCrowd } from "./crowds.ts";
import type { ScaleDaemon } from "./daemon.ts";

const saverCount = 8;
/** Of those that each bring something; every one of them has to have its turn. */
const growerCount = 4;

/** Daemons that save one key at once, where nothing is stored, and where each has something new. */
export async function measureSaves(bench: Bench): Promise<SaveRun[]> {
  const { dir, source } = bench;
  const grown = Array.from({ length: growerCount }, (_, i) => join(dir, `grown-${i}`));
  for (const [i, copy] of grown.entries()) growCopy(source.dir, copy, i);
  const runs: SaveRun[] = [];
  for (const store of storeKinds) {
    const daemons = await bench.start(store, "saves", saverCount);
    if (store === "s3")
      await Promise.all(daemons.map((daemon) => daemon.logged("the store keeps to conditions")));
    // A save that is not measured starts the daemon's threads.
    await daemons[0]?.client.save({ environment, localDir: source.dir, namespace: "warm-up" });
    runs.push(await saveCold(bench, store, daemons.slice(0, 1), "skip"));
    runs.push(await saveCold(bench, store, daemons, "skip"));
    runs.push(await saveCold(bench, store, daemons, "refresh"));
    runs.push(await refreshAll(bench, store, daemons.slice(0, growerCount), grown));
    await Promise.all(daemons.map((daemon) => daemon.stop()));
  }
  for (const copy of grown) rmSync(copy, { recursive: true });
  return runs;
}

async function saveCold(
  bench: Bench,
  store: StoreKind,
  daemons: readonly ScaleDaemon[],
  policy: "skip" | "refresh",
): Promise<SaveRun> {
  const rounds: Round[] = [];
  const repeats = policy === "refresh" ? 1 : Math.min(2, bench.rounds);
  for (let n = 0; n < repeats; n++) {
    if (rounds.length > 0 && bench.isLate()) break;
    bench.say(`${store}: ${daemons.length} save at once (${policy})`);
    const namespace = `cold-${policy}-${daemons.length}-${n}`;
    const save =
      ({ client }: ScaleDaemon) =>
      () =>
        client.save({ environment, localDir: bench.source.dir, namespace, ifStoredExists: policy });
    rounds.push(
      await allAtOnce({
        daemons,
        serverCpuS: () => bench.serverCpuS(store),
        callers: daemons.map(save),
      }),
    );
  }
  const [{ moved = [] } = {}] = rounds;
  const largest = Math.max(...moved.map(({ writtenBytes }) => writtenBytes));
  const inVain = rounds.map(({ moved, statuses }) => {
    const winners = statuses.filter((status) => status === "success").length;
    // Who packs to the end has written a whole archive.
    return moved.filter(({ writtenBytes }) => writtenBytes > largest / 2).length - winners;
  });
  const failed = rounds.map(failuresOf);
  return { store, policy, inVain, failed, ...toCrowd(daemons.length, rounds, "writtenBytes") };
}

async function refreshAll(
  bench: Bench,
  store: StoreKind,
  daemons: readonly ScaleDaemon[],
  grown: readonly string[],
): Promise<SaveRun> {
  const policy = "refresh, each with 2 % of its own";
  bench.say(`${store}: ${daemons.length} save at once (${policy})`);
  const namespace = "grown";
  await daemons[0]?.client.save({ environment, localDir: bench.source.dir, namespace });
  const message = "another save came first; comparing once more";
  const lost = () => daemons.reduce((sum, daemon) => sum + daemon.count(message), 0);
  const before = lost();
  const round = await allAtOnce({
    daemons,
    serverCpuS: () => bench.serverCpuS(store),
    callers: daemons.map((daemon, i) => () => refresh(daemon, grown[i] as string, namespace)),
  });
  return {
    store,
    policy,
    inVain: [lost() - before],
    failed: [failuresOf(round)],
    ...toCrowd(daemons.length, [round], "writtenBytes"),
  };
}

function failuresOf({ statuses }: Round): number {
  return statuses.filter((status) => status === "failed").length;
}
