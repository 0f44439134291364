import { execFileSync } from "node:child_process";
import { chmodSync, renameSync } from "node:fs";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { removeTree, valuesOf } from "../round-trip.ts";
import { emptyDirectory } from "../scratch.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

const roomPerCacheByte = 3;
/** Whose the directories are: the daemon's, which is root, or a user's. */
const users = { root: 0, "a user": 60_000 };

/** What it costs a daemon of root to work with the rights of a directory's owner. */
export const owners: Suite = async (context) => {
  const { rounds, say } = context;
  const { dir, source, allowedDirs } = createWorkspace(context, roomPerCacheByte);
  if (process.geteuid?.() !== 0) throw new Error("only root can work for other users");
  const daemon = await startDaemon({ dir, allowedDirs });
  const measured = new Measurements();
  const aside = `${source.dir}.saved`;
  try {
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
      for (const [whose, uid] of Object.entries(users)) {
        execFileSync("chown", ["-R", `${uid}:${uid}`, source.dir]);
        const { archiveBytes: _, ...save } = await daemon.save(source.dir);
        renameSync(source.dir, aside);
        emptyDirectory(source.dir);
        execFileSync("chown", [`${uid}:${uid}`, source.dir]);
        chmodSync(source.dir, 0o755);
        const load = await daemon.load(source.dir);
        execFileSync("diff", ["-r", aside, source.dir]);
        removeTree(source.dir);
        renameSync(aside, source.dir);
        if (round === 0) continue;
        measured.add(`save: of ${whose}`, valuesOf(save));
        measured.add(`load: of ${whose}`, valuesOf(load));
      }
    }
  } finally {
    await daemon.stop();
    execFileSync("chown", ["-R", "0:0", source.dir]);
  }
  const base = (name: string) => `${name.slice(0, 4)}: of root`;
  return {
    subject: describeCache(source),
    series: measured.toSeries({
      ratiosOf: (name) => ({ "x root's": measured.ratio(name, base(name)) }),
    }),
    targets: [],
    notes: [
      "One daemon, which is root. CPU and peak RSS are the daemon's own, without the user's process.",
    ],
  };
};
