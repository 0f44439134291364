import { spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { timeCommand } from "../cost.ts";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { runPeer } from "../peer.ts";
import { bytesPerMB, plainCopy, removeTree, roundTrip } from "../round-trip.ts";
import { emptyDirectory } from "../scratch.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite, Target, Values } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

/** Does its work once; returns what each part of it took, by name. */
type Contender = () => Promise<Record<string, Values>>;

const floor = "cp -r";
const saves = {
  ours: "save: compilecache",
  peer: "save: b10-transfer 0.4.1",
  gzip: "save: tar, gzip",
  zstd: "save: tar, zstd -3",
};
const loads = {
  ours: "load: compilecache",
  peer: "load: b10-transfer 0.4.1",
  gzip: "load: tar, gzip",
  zstd: "load: tar, zstd",
};
/** Room for the source, for what a contender writes, and for the peer's own copies. */
const roomPerCacheByte = 5;

/** Our save and load, the peer's, tar's, and a plain copy: each of them once a round. */
export const main: Suite = async (context) => {
  const { rounds, peer, say } = context;
  const { dir, kind, source, out, allowedDirs } = createWorkspace(context, roomPerCacheByte);
  const notes = [`Everything lay on ${kind}.`];
  const daemon = await startDaemon({ dir, allowedDirs });

  const contenders: Contender[] = [
    async () => ({ [floor]: await plainCopy(source.dir, out) }),
    async () => {
      const { save, load } = await roundTrip(daemon, source.dir);
      return { [saves.ours]: save, [loads.ours]: load };
    },
  ];
  if (peer === undefined)
    notes.push(
      "b10-transfer was left out: its script is absent, this is not root, or --no-peer was given.",
    );
  else
    contenders.push(async () => {
      const { saveS, loadS, archiveBytes } = await runPeer(peer, source.dir);
      return {
        [saves.peer]: { wallS: saveS, archiveMB: archiveBytes / bytesPerMB },
        [loads.peer]: { wallS: loadS },
      };
    });
  contenders.push(async () => {
    const { save, load } = await tarRoundTrip(source.dir, out, "gzip");
    return { [saves.gzip]: save, [loads.gzip]: load };
  });
  if (spawnSync("zstd", ["--version"]).status !== 0)
    notes.push("tar with zstd was left out: there is no zstd program here.");
  else
    contenders.push(async () => {
      const { save, load } = await tarRoundTrip(source.dir, out, "zstd -3");
      return { [saves.zstd]: save, [loads.zstd]: load };
    });

  const measured = new Measurements();
  try {
    // The first round only warms up: pages that nothing has touched yet are slow.
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
      for (const contender of contenders)
        for (const [name, values] of Object.entries(await contender()))
          if (round > 0) measured.add(name, values);
    }
  } finally {
    await daemon.stop();
  }

  return {
    subject: describeCache(source),
    series: measured.toSeries({
      first: [floor, ...Object.values(saves), ...Object.values(loads)],
      ratiosOf: (name) => ({
        "x peer": measured.ratio(name, name.startsWith("save") ? saves.peer : loads.peer),
        [`x ${floor}`]: measured.ratio(name, floor),
      }),
    }),
    targets: targetsOf(measured),
    notes,
  };
};

async function tarRoundTrip(
  source: string,
  out: string,
  compressor: string,
): Promise<{ save: Values; load: Values }> {
  const filter = ["--use-compress-program", compressor];
  const archive = `${out}.tar`;
  const save = await timeCommand("tar", ["-C", source, ...filter, "-cf", archive, "."]);
  const archiveMB = statSync(archive).size / bytesPerMB;
  emptyDirectory(out);
  const load = await timeCommand("tar", ["-C", out, ...filter, "-xf", archive]);
  removeTree(out);
  rmSync(archive);
  return { save: { ...save, archiveMB }, load };
}

function targetsOf(measured: Measurements): Target[] {
  const rss = (name: string) => measured.median(name, "peakRssMiB");
  const higher = { unit: "x", better: "higher" } as const;
  const lower = { unit: "x", better: "lower" } as const;
  return [
    {
      what: "load: times as fast as b10-transfer",
      measured: measured.ratio(loads.peer, loads.ours),
      atLeast: 5,
      aim: 8,
      ...higher,
    },
    {
      what: "load: time beside cp -r",
      measured: measured.ratio(loads.ours, floor),
      atLeast: 2,
      aim: 1.2,
      ...lower,
    },
    {
      what: "save: times as fast as b10-transfer",
      measured: measured.ratio(saves.peer, saves.ours),
      atLeast: 6,
      aim: 10,
      ...higher,
    },
    {
      what: "archive: size beside b10-transfer's",
      measured: measured.ratio(saves.ours, saves.peer, "archiveMB"),
      atLeast: 0.4,
      aim: 0.35,
      ...lower,
    },
    {
      what: "daemon: peak RSS",
      measured: Math.max(rss(saves.ours), rss(loads.ours)),
      atLeast: 512,
      aim: 256,
      ...lower,
      unit: " MiB",
    },
  ];
}
