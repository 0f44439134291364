import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readConfig } from "../../../server/src/config/config.ts";
import type { SettingKey } from "../../../server/src/config/settings.ts";
import { startDaemon } from "../../../server/src/daemon.ts";
import { cacheKeyOf, environmentKey } from "../../../server/src/domain/environment.ts";
import { connect, tempDir } from "../client/service-client.ts";
import { type LogLine, recordingLogger } from "../recording-logger.ts";

/** The environment that these tests save and load for. */
export const environment = {
  torchVersion: "2.1.0",
  cudaVersion: "",
  computeCapability: "",
  tritonVersion: "",
  extra: {},
};
export const cacheKey = cacheKeyOf(environmentKey(environment));

/**
 * Starts a whole daemon in this process, over its own file store and local directory. It starts in
 * milliseconds, and tests read its log lines as objects and stop it by a call; tests that need a process,
 * for its signals, exit code or several daemons at once, start one through `serve-process.ts`.
 */
export async function startTestDaemon(
  t: TestContext,
  settings: Partial<Record<SettingKey, string>> = {},
) {
  const dir = await tempDir(t);
  const localDir = join(dir, "local");
  const lines: LogLine[] = [];
  const config = readConfig(
    {
      store: `file://${dir}/store`,
      torchCacheDir: localDir,
      workDir: join(dir, "work"),
      allowedDirs: `${dir}/local,${dir}/other`,
      listen: `unix:${dir}/daemon.sock`,
      shutdownGraceMs: "0",
      workers: "1",
      // A test waits for its saves, however busy the machine is.
      saveNice: "0",
      ...settings,
    },
    {},
  );
  const daemon = await startDaemon(config, recordingLogger(lines));
  t.after(() => daemon.stop());
  const archive = join(dir, "store", "default", `cache_${cacheKey}.latest.tar.zst`);
  const address = daemon.addresses[0] as string;
  return { dir, localDir, archive, daemon, lines, address, client: connect(t, address) };
}

/** Writes files of this size whose modification time is a minute ago, so that a save takes them. */
export function writeFiles(directory: string, count: number, bytes = 1000): void {
  mkdirSync(directory, { recursive: true });
  const aWhileAgo = new Date(Date.now() - 60_000);
  for (let n = 0; n < count; n++) {
    const path = join(directory, `kernel-${n}.bin`);
    writeFileSync(path, Buffer.alloc(bytes, n));
    utimesSync(path, aWhileAgo, aWhileAgo);
  }
}
