import { environment } from "../../source-cache.ts";
import type { Crowd, NarrowRun, StoreKind } from "../figures.ts";
import type { Bench } from "./bench.ts";
import { allAtOnce, forget, outOf, type Round, toCrowd } from "./crowds.ts";
import { type ScaleDaemon, startScaleDaemon } from "./daemon.ts";

/** Pods that share a daemon, where they do. */
const sharers = 8;
const narrowDaemons = 8;
/** Low enough that this machine's cores do not matter. */
const narrowLimits = [
  { what: "bandwidth", limit: 30e6 },
  { what: "requests", limit: 8 },
] as const;

const loading = (daemon: ScaleDaemon) => () =>
  daemon.client.load({ environment, localDir: outOf(daemon) });

/** Every daemon of a crowd loads one archive into a directory of its own, at once. */
export async function crowdsOf(
  bench: Bench,
  store: StoreKind,
  counts: readonly number[],
): Promise<Crowd[]> {
  const { rounds, say, source } = bench;
  const all = await bench.start(store, "loads", counts.at(-1) ?? 1);
  await all[0]?.client.save({ environment, localDir: source.dir });
  const crowds: Crowd[] = [];
  for (const count of counts) {
    const daemons = all.slice(0, count);
    const measured: Round[] = [];
    // The first round only warms up; one of a large crowd is many loads, and takes long.
    const repeats = count > 8 ? 1 : rounds + 1;
    for (let round = 0; round < repeats; round++) {
      if (measured.length > 0 && bench.isLate()) break;
      say(`${store}: ${count} load, round ${round + 1} of ${repeats}`);
      const result = await allAtOnce({
        daemons,
        serverCpuS: () => bench.serverCpuS(store),
        callers: daemons.map(loading),
      });
      requireAll(result, "success");
      if (round > 0 || count > 8) measured.push(result);
      for (const daemon of daemons) forget(daemon);
    }
    crowds.push(toCrowd(count, measured, "readBytes"));
  }
  await Promise.all(all.map((daemon) => daemon.stop()));
  return crowds;
}

/** Clients of one daemon load one archive into one directory, at once. */
export async function measureShared(bench: Bench, store: StoreKind): Promise<Crowd> {
  const daemons = await bench.start(store, "loads", 1);
  const [daemon] = daemons as [ScaleDaemon];
  const measured: Round[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    if (measured.length > 0 && bench.isLate()) break;
    bench.say(`${store}: ${sharers} clients share a daemon`);
    const result = await allAtOnce({
      daemons,
      serverCpuS: () => bench.serverCpuS(store),
      callers: Array.from({ length: sharers }, () => loading(daemon)),
    });
    requireAll(result, "success");
    if (round > 0) measured.push(result);
    forget(daemon);
  }
  await daemon.stop();
  return toCrowd(sharers, measured, "readBytes");
}

/** Daemons load through a way that is too narrow for them: in bytes, then in requests. */
export async function measureNarrow(bench: Bench): Promise<NarrowRun[]> {
  const { proxy, rounds, say } = bench;
  proxy.limit();
  const daemons = await Promise.all(
    Array.from({ length: narrowDaemons }, (_, i) =>
      startScaleDaemon({
        dir: `${bench.dir}/daemon-${i}`,
        source: bench.dir,
        variables: bench.variables("s3", "loads", "proxy"),
      }),
    ),
  );
  await Promise.all(daemons.map((daemon) => daemon.logged("the store keeps to conditions")));
  const runs: NarrowRun[] = [];
  for (const { what, limit } of narrowLimits) {
    const failed: number[] = [];
    const refused: number[] = [];
    const othersCpuS: number[] = [];
    const endsS: number[][] = [];
    for (let round = 0; round < (what === "requests" ? rounds : 1); round++) {
      if (endsS.length > 0 && bench.isLate()) break;
      say(`s3: ${narrowDaemons} load, ${what} limited to ${limit} a second`);
      proxy.limit(what === "bandwidth" ? { bandwidth: limit } : { requestsPerS: limit });
      const result = await allAtOnce({
        daemons,
        serverCpuS: () => 0,
        callers: daemons.map(loading),
      });
      failed.push(result.statuses.filter((status) => status === "failed").length);
      refused.push(proxy.traffic().refused);
      othersCpuS.push(result.othersCpuS);
      endsS.push(result.endsS);
      for (const daemon of daemons) forget(daemon);
    }
    runs.push({ what, limit, daemons: narrowDaemons, failed, refused, othersCpuS, endsS });
  }
  proxy.limit();
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  return runs;
}

function requireAll({ statuses }: Round, expected: string): void {
  const other = statuses.find((status) => status !== expected);
  if (other !== undefined) throw new Error(`a load ended in ${other}`);
}
