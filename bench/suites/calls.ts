import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import {
  type CallsPackage,
  ownPackage,
  peerPackage,
  peerVariables,
  writeTorch,
} from "../python-packages.ts";
import { describeCache, generateCache } from "../source-cache.ts";
import type { Suite } from "../suite.ts";

const probe = fileURLToPath(import.meta.resolve("../probes/calls.py"));
const peerVersions = ["0.4.1", "0.0.2"];
const roomBytes = 256 * 1024 ** 2;
/** Of the real cache: some 25 files. */
const scale = 0.002;

/** As the table shows them. */
const shownAs = {
  import: "import",
  prefetch: "prefetch()",
  load: "load_compile_cache()",
  save: "save_compile_cache()",
  load_async: "load_compile_cache_async()",
  save_async: "save_compile_cache_async()",
} as const;

/** How long the calls of a model with a small cache take, in the Python process that makes them. */
export const calls: Suite = async (context) => {
  const { rounds, say } = context;
  const { dir } = context.scratch(roomBytes);
  const source = generateCache(dir, scale);
  const withGpu = writeTorch(dir, "'13.0'");
  const peers = context.peer === undefined ? [] : peerVersions.map((v) => peerPackage(v, withGpu));
  const packages = [
    ownPackage(writeTorch(dir, "None")),
    ...peers.filter((found) => found !== undefined),
  ];
  const local = join(dir, "local");
  const daemon = await startDaemon({ dir, allowedDirs: [local] });
  const measured = new Measurements();
  try {
    // The first round warms up what later ones find warm: pages, byte code, threads' code.
    for (let round = 0; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      for (const each of packages) {
        const namespace = `round-${round}`;
        const { address } = daemon;
        const took = callsOf(each, { local, source: source.dir, namespace, address });
        if (round > 0)
          for (const [call, callMs] of Object.entries(took))
            measured.add(`${shownAs[call as keyof typeof shownAs]}, ${each.name}`, { callMs });
      }
    }
  } finally {
    await daemon.stop();
  }
  const names = Object.values(shownAs).flatMap((call) =>
    packages.map(({ name }) => `${call}, ${name}`),
  );
  const [own] = packages;
  const target = (call: keyof typeof shownAs, atLeast: number) => ({
    what: shownAs[call],
    measured: measured.median(`${shownAs[call]}, ${own?.name}`, "callMs"),
    unit: " ms",
    atLeast,
    aim: atLeast / 2,
    better: "lower" as const,
  });
  return {
    subject: describeCache(source),
    series: measured.toSeries({ first: names }),
    targets: [
      target("prefetch", 20),
      target("load", 50),
      target("save", 50),
      target("load_async", 10),
      target("save_async", 10),
    ],
    notes: [
      "Each round is a new process, beside a daemon that runs; the environment is found anew in each.",
      "The packages take turns. A call that a package does not have, or that fails, has no line: b10-transfer 0.4.1 has no asynchronous calls, and 0.0.2 stores nothing, whatever its save reports, for its log has an error of its own.",
    ],
  };
};

/** Runs the calls of one package once, and returns what each took, in milliseconds. */
function callsOf(
  { module, python, path, wrapper }: CallsPackage,
  where: { local: string; source: string; namespace: string; address: string },
): Record<string, number> {
  const { local, source, namespace, address } = where;
  rmSync(local, { recursive: true, force: true });
  cpSync(source, local, { recursive: true, preserveTimestamps: true });
  const [program = python, ...words] = [...wrapper, python, probe, module, local];
  const output = execFileSync(program, words, {
    env: {
      ...process.env,
      PYTHONPATH: path,
      TORCHINDUCTOR_CACHE_DIR: local,
      COMPILE_CACHE_ADDRESS: address,
      COMPILE_CACHE_NAMESPACE: namespace,
      ...peerVariables,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(output.toString());
}
