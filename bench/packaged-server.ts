import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "../fixtures/at-exit.ts";
import { bundleServer } from "../scripts/package/bundle-server.ts";

let program: Promise<string> | undefined;

/** The program as packages ship it, built once per run: each thread would have to compile the sources. */
export function packagedServer(): Promise<string> {
  program ??= bundle();
  return program;
}

async function bundle(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-bench-server-"));
  atExit(() => rmSync(dir, { recursive: true, force: true }));
  await bundleServer(dir);
  return join(dir, "bin/compilecache.js");
}
