import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { CacheError, type Reason } from "../../server/src/domain/cache-error.ts";
import type { ArchiveFormat } from "../../server/src/domain/cache-id.ts";
import type { Limits } from "../../server/src/domain/limits.ts";
import { eventually } from "./eventually.ts";
import type { FlowBench } from "./flow-bench.ts";
import { listTree } from "./trees/trees.ts";

/** Paths that this process has open at or below a path, including removed files. */
function openBelow(dir: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return `${path}/`.startsWith(`${dir}/`) ? [path] : [];
    } catch {
      return [];
    }
  });
}

/**
 * Waits until nothing at or below a path is open, but for what the test itself holds; fails if that does
 * not happen.
 */
export async function assertNothingOpen(dir: string, held: readonly string[] = []): Promise<void> {
  await eventually("nothing open", () => openBelow(dir).length === held.length).catch(() =>
    assert.deepEqual(openBelow(dir), held),
  );
}

/**
 * Puts an archive into the store and requires that its load is refused: that it leaves nothing in or
 * beside the local directory, no stage and no open descriptor, and that the archive is set aside if it
 * proved damaged, and else is left, byte by byte, under its name.
 */
export async function assertRefused(
  bench: FlowBench,
  archive: Uint8Array,
  reasons: Reason | readonly Reason[],
  options: { format?: ArchiveFormat; limits?: Partial<Limits>; provesDamage?: boolean } = {},
): Promise<CacheError> {
  const expected = typeof reasons === "string" ? [reasons] : reasons;
  const path = bench.archivePath(options.format);
  writeFileSync(path, archive);
  rmSync(bench.localDir, { recursive: true, force: true });
  const beside = readdirSync(bench.dir).sort();
  const error = await bench.load({ limits: options.limits ?? {} }).then(
    () => assert.fail(`loaded:\n${listTree(bench.localDir).join("\n")}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof CacheError, String((error as Error).stack));
  assert.ok(
    expected.includes(error.reason),
    `${error.reason} instead of ${expected}: ${error.message} (${(error.cause as Error)?.stack})`,
  );
  assert.deepEqual(readdirSync(bench.dir).sort(), beside);
  await assertNothingOpen(bench.dir);
  const { provesDamage } = error;
  if (options.provesDamage !== undefined)
    assert.equal(provesDamage, options.provesDamage, error.message);
  if (provesDamage) assert.ok(!existsSync(path), "a damaged archive is set aside");
  else {
    assert.deepEqual(bench.storeFiles(), [basename(path)], "any other stays where it is");
    assert.ok(readFileSync(path).equals(archive), "and as it is");
  }
  for (const name of bench.storeFiles()) rmSync(join(dirname(path), name));
  return error;
}
