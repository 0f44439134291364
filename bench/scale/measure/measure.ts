import { join } from "node:path";
import { startObjectServer } from "../../../fixtures/object-server.ts";
import { describeMachine } from "../../report/machine.ts";
import { createScratch, emptyDirectory } from "../../scratch.ts";
import { describeCache, prepareCache } from "../../source-cache.ts";
import type { Figures } from "../figures.ts";
import { createBench } from "./bench.ts";
import { callsOfFileStore, callsOfObjectStore } from "./calls.ts";
import { startLimitedProxy } from "./limited-proxy.ts";
import { crowdsOf, measureNarrow, measureShared } from "./loads.ts";
import { measureSaves } from "./saves.ts";

const daemonCounts = [1, 2, 4, 8, 16];
/** Of one daemon that loads, over what it writes. */
const bytesPerDaemon = 450e6;
const leftFreeBytes = 2e9;

/** Measures with as many daemons as there is memory for, 16 at most. */
export async function measure(options: {
  cache: string | undefined;
  rounds: number;
  say: (text: string) => void;
}): Promise<Figures> {
  const { cache, rounds, say } = options;
  const scratch = createScratch(2e9);
  const source = prepareCache(scratch.dir, cache);
  const most = Math.floor((scratch.free() - leftFreeBytes) / (source.bytes + bytesPerDaemon));
  const counts = daemonCounts.filter((count) => count <= Math.max(1, most));
  const server = await startObjectServer("versitygw", emptyDirectory(join(scratch.dir, "objects")));
  const proxy = await startLimitedProxy(server.port);
  const bench = createBench({ scratch, source, server, proxy, rounds, say });
  try {
    say(`with up to ${counts.at(-1)} daemons, on ${scratch.kind}`);
    const calls = {
      file: await callsOfFileStore(bench),
      s3: await callsOfObjectStore(bench),
    };
    const loads = {
      file: await crowdsOf(bench, "file", counts),
      s3: await crowdsOf(bench, "s3", counts),
    };
    const shared = {
      file: await measureShared(bench, "file"),
      s3: await measureShared(bench, "s3"),
    };
    const narrow = await measureNarrow(bench);
    const saves = await measureSaves(bench);
    return {
      at: new Date().toISOString(),
      machine: describeMachine(),
      subject: describeCache(source),
      archiveBytes: calls.s3.save.upBytes,
      contentBytes: source.bytes,
      fileCount: source.fileCount,
      calls,
      loads,
      shared,
      narrow,
      saves,
    };
  } finally {
    proxy.close();
    await server.kill("SIGKILL");
    scratch.remove();
  }
}
