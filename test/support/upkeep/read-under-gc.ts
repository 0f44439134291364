import assert from "node:assert/strict";
import { ArchiveReplaced, type Store } from "../../../server/src/store/store.ts";
import { collectGarbage } from "../../../server/src/upkeep/gc.ts";
import { defaultGcPolicy } from "../../../server/src/upkeep/gc-plan.ts";

const name = { namespace: "gc", filename: "cache_0123456789ab.latest.tar.zst" };
const mostBytes = 64 * 1024;
const everything = { ...defaultGcPolicy, maxFiles: 0, keepMs: -60_000 };

/** What readers found. */
export interface UnderGc {
  readonly whole: number;
  readonly missed: number;
  readonly replaced: number;
  /** How many archives the collectors removed. */
  readonly removed: number;
}

/**
 * Reads an archive again and again, while others write it and collectors remove it. Each archive is of one
 * byte, repeated; throws for a reader that got a part of one, or of two.
 */
export async function readUnderGc(connect: () => Promise<Store>, tries: number): Promise<UnderGc> {
  const done = new AbortController();
  const found = { whole: 0, missed: 0, replaced: 0, removed: 0 };
  const until = async (body: (store: Store, n: number) => Promise<void>) => {
    const store = await connect();
    for (let n = 0; !done.signal.aborted; n++) await body(store, n);
  };
  const writer = until(async (store, n) => {
    const archive = await store.create(name);
    try {
      await archive.write(Buffer.alloc(1 + ((n * 7919) % mostBytes), 1 + (n % 255)));
      await archive.commit(n % 2 === 0 ? "create" : "replace").catch(requireUnproven);
    } finally {
      await archive.abort();
    }
  });
  const collector = () =>
    until(async (store) => {
      const garbage = collectGarbage({ store }, everything, { dryRun: false }, done.signal);
      for await (const { result, error } of garbage) {
        if (result === "removed") found.removed += 1;
        if (error) throw error;
      }
    }).catch((error) => done.signal.aborted || Promise.reject(error));
  let left = tries;
  const reader = async () => {
    const store = await connect();
    while (left-- > 0) found[await readOnce(store)] += 1;
  };
  const beside = [writer, collector(), collector()];
  try {
    await Promise.race([
      Promise.all([reader(), reader(), reader(), reader()]),
      Promise.all(beside),
    ]);
  } finally {
    done.abort(new Error("all was read"));
  }
  await Promise.all(beside);
  return found;
}

/** These collectors wait for nothing: an archive may be gone before its writer has seen it in a bucket. */
function requireUnproven(error: unknown): void {
  assert.match(String(error), /reported a commit .* that cannot be found there/);
}

async function readOnce(store: Store): Promise<"whole" | "missed" | "replaced"> {
  await using reader = await store.open(name);
  if (!reader) return "missed";
  const { bytes } = reader;
  const third = Math.ceil(bytes / 3);
  try {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes; at += third)
      parts.push(await reader.read(at, Math.min(third, bytes - at)));
    const content = Buffer.concat(parts);
    assert.equal(content.length, bytes);
    assert.ok(content.every((byte) => byte === content[0]));
    return "whole";
  } catch (error) {
    if (error instanceof ArchiveReplaced) return "replaced";
    throw error;
  }
}
