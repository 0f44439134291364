// `npm run demo`: a cache is saved, cleared and loaded back through a daemon, once from each client.
// CACHE_DIR names a cache of your own, which is only read; else a realistic one is made.
import { cpSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type CacheClient, createCacheClient, type Transfer } from "compilecache-client";
import { filesBelow, treeDifferences } from "../fixtures/compare-trees.ts";
import { makeCache } from "../fixtures/make-cache.ts";
import { bytesText, durationText, fileCountText } from "../server/src/cli/output/quantities.ts";
import { isTransientDirectory, isTransientFile } from "../server/src/local/tree/transient-names.ts";
import { runToEnd, startDemoDaemon } from "./demo-processes.ts";

const root = resolve(import.meta.dirname, "..");
const python = join(root, ".venv", "bin", "python");
const environment = {
  torchVersion: "2.11.0",
  cudaVersion: "13.0",
  computeCapability: "9.0",
  tritonVersion: "3.6.0",
  extra: { py: "3.12" },
};

const startedMs = performance.now();
const work = mkdtempSync(join(tmpdir(), "compilecache-demo-"));
process.once("exit", () => rmSync(work, { recursive: true, force: true }));
process.once("SIGINT", () => process.exit(130));

const original = process.env.CACHE_DIR ? resolve(process.env.CACHE_DIR) : join(work, "original");
const localDir = join(work, "local");
const socket = join(work, "daemon.sock");
const store = join(work, "store");

requireCache();
console.log("compilecache demo: save a compile cache, clear it, load it back\n");
await preparePython();
describeCache();
cpSync(original, localDir, { recursive: true, preserveTimestamps: true });
const daemon = await startDemoDaemon({ socket, store, allowedDir: work });
try {
  console.log(`Daemon     unix:${socket}, store file://${store}\n`);

  console.log("TypeScript client");
  const client = createCacheClient({ address: `unix:${socket}`, namespace: "demo-typescript" });
  await roundTrip(client);
  client.close();
  compare();

  console.log("\nPython client");
  await runToEnd(python, [join(root, "scripts", "demo.py"), `unix:${socket}`, localDir]);
  compare();
} finally {
  await daemon.stop();
}
console.log(`\nBoth clients got every file back. All of it took ${since(startedMs)}.`);

/** Brings .venv up to date, which installs packages the first time. */
async function preparePython(): Promise<void> {
  const beganMs = performance.now();
  await runToEnd("python3", [join(root, "scripts", "python-env.py")]);
  console.log(`Python     .venv is ready, in ${since(beganMs)}`);
}

function describeCache(): void {
  if (!process.env.CACHE_DIR) {
    const beganMs = performance.now();
    const made = makeCache(original);
    const size = `${fileCountText(made.fileCount)}, ${bytesText(made.bytes)}`;
    console.log(`Cache      ${size}, made like a real one in ${since(beganMs)}`);
    return;
  }
  const files = filesToTravel();
  const bytes = files.reduce((sum, path) => sum + statSync(join(original, path)).size, 0);
  console.log(`Cache      ${fileCountText(files.length)}, ${bytesText(bytes)}, from ${original}`);
}

/** Ends the demo if CACHE_DIR names no directory with files to save. */
function requireCache(): void {
  if (!process.env.CACHE_DIR) return;
  const isDirectory = statSync(original, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isDirectory && filesToTravel().length > 0) return;
  const why = isDirectory ? "holds no files that a save would take" : "is no directory";
  console.error(`CACHE_DIR: ${original} ${why}`);
  process.exit(2);
}

function filesToTravel(): string[] {
  return filesBelow(original).filter(wouldTravel);
}

/** What demo.py does through the Python client. */
async function roundTrip(client: CacheClient): Promise<void> {
  console.log("  save   local directory -> store");
  const saving = await client.save({ environment, localDir, detach: true });
  const saved = await follow(client, saving.transfer);
  const archiveBytes = saved.outcome?.cache?.archiveBytes ?? 0;
  const times = Math.round(saved.bytesTotal / archiveBytes);
  const smaller = times > 1 ? `, ${times} times smaller` : "";
  console.log(`${took(saved)}: one archive of ${bytesText(archiveBytes)}${smaller}`);

  const cleared = await client.clearLocalCache({ localDir });
  console.log(`  clear  ${fileCountText(cleared.fileCount)} removed`);

  console.log("  load   store -> local directory");
  const loading = await client.load({ environment, localDir, detach: true });
  console.log(took(await follow(client, loading.transfer)));
}

/** Prints a transfer's progress at each quarter; returns its final state. */
async function follow(client: CacheClient, { operationId }: Transfer): Promise<Transfer> {
  let shown = 0;
  let last: Transfer | undefined;
  for await (const state of client.watch(operationId)) {
    last = state;
    const quarter = Math.floor((state.bytesDone * 4) / state.bytesTotal) || 0;
    if (quarter === shown) continue;
    shown = quarter;
    const bytes = `${bytesText(state.bytesDone)} of ${bytesText(state.bytesTotal)}`;
    const files = `${state.filesDone.toLocaleString("en-US")} of ${fileCountText(state.filesTotal)}`;
    console.log(`         ${String(quarter * 25).padStart(3)} %  ${bytes}, ${files}`);
  }
  if (last?.status !== "success") throw last?.error ?? new Error("the daemon went away");
  return last;
}

function took({ startedAt, completedAt = startedAt }: Transfer): string {
  return `         done in ${durationText(completedAt.getTime() - startedAt.getTime())}`;
}

function compare(): void {
  const differences = treeDifferences(original, localDir, wouldTravel);
  if (differences.length > 0)
    throw new Error(
      `the loaded cache is not the saved one:\n${differences.slice(0, 10).join("\n")}`,
    );
  const count = fileCountText(filesBelow(localDir).length);
  console.log(`  compare  ${count}: content, mode and modification time are as they were`);
}

function wouldTravel(path: string): boolean {
  const folders = dirname(path).split("/");
  return !folders.some(isTransientDirectory) && !isTransientFile(basename(path));
}

function since(beganMs: number): string {
  return durationText(performance.now() - beganMs);
}
