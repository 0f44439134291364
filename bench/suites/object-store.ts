import { join } from "node:path";
import { startObjectServer } from "../../fixtures/object-server.ts";
import { findTool } from "../../fixtures/tools.ts";
import { type MeasuredDaemon, startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { roundTrip } from "../round-trip.ts";
import { emptyDirectory } from "../scratch.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite, Target } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

const roomPerCacheByte = 3;
const places = { file: "file store", s3: "versitygw" } as const;
type Place = keyof typeof places;

/** A daemon over the file store and one over an object server on this machine, each once a round. */
export const objectStore: Suite = async (context) => {
  const { rounds, say } = context;
  if (!findTool("versitygw"))
    return {
      subject: "nothing",
      series: [],
      targets: [],
      notes: ["versitygw is not installed; `npm run test:stores` installs it."],
    };
  const { dir, source } = createWorkspace(context, roomPerCacheByte);
  const server = await startObjectServer("versitygw", emptyDirectory(join(dir, "objects")));
  const daemonOver = (place: Place, variables: Readonly<Record<string, string>>) =>
    startDaemon({
      dir: emptyDirectory(join(dir, place)),
      allowedDirs: [source.dir],
      variables,
    });
  const daemons: Record<Place, MeasuredDaemon> = {
    file: await daemonOver("file", {}),
    s3: await daemonOver("s3", server.variables("bench")),
  };
  const measured = new Measurements();
  try {
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
      for (const place of Object.keys(places) as Place[]) {
        const { save, load } = await roundTrip(daemons[place], source.dir);
        if (round === 0) continue;
        measured.add(`save: ${places[place]}`, save);
        measured.add(`load: ${places[place]}`, load);
      }
    }
  } finally {
    for (const daemon of Object.values(daemons)) await daemon.stop();
    await server.kill("SIGKILL");
  }
  const names = ["save", "load"].flatMap((what) =>
    Object.values(places).map((place) => `${what}: ${place}`),
  );
  return {
    subject: describeCache(source),
    series: measured.toSeries({
      first: names,
      ratiosOf: (name) => ({
        "x file store": measured.ratio(name, name.replace(/:.*/, `: ${places.file}`)),
      }),
    }),
    targets: ["save", "load"].map((what) => targetOf(measured, what)),
    notes: ["Daemons and object server share the cores; CPU is that of the daemon alone."],
  };
};

function ratioOf(measured: Measurements, what: string): number {
  return measured.ratio(`${what}: ${places.s3}`, `${what}: ${places.file}`);
}

function targetOf(measured: Measurements, what: string): Target {
  return {
    what: `${what}: time beside the file store`,
    measured: ratioOf(measured, what),
    unit: "x",
    atLeast: 1.5,
    aim: 1.2,
    better: "lower",
  };
}
