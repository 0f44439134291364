// The upkeep of a store: what verify finds, and what sign makes of caches that nobody has signed.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import {
  generateKeys,
  parseSigningKey,
  parseTrustedKeys,
} from "../../../server/src/signing/keys.ts";
import { type Signing, Trust } from "../../../server/src/signing/trust.ts";
import type { ReadSoFar, UpkeepContext } from "../../../server/src/upkeep/context.ts";
import { signArchive } from "../../../server/src/upkeep/sign.ts";
import { verifyArchive } from "../../../server/src/upkeep/verify.ts";
import { cacheKey, createFlowBench, type FlowBench, namespace } from "../../support/flow-bench.ts";
import { rawEntry, tarEnd } from "../../support/tar/raw-tar.ts";
import { contents, many, write } from "../../support/trees/refresh-trees.ts";
import { noise } from "../../support/trees/trees.ts";

const { signingKey, trustedKey } = generateKeys();
const ours = { key: parseSigningKey(signingKey), trusted: parseTrustedKeys(trustedKey) };
const theirs = { key: parseSigningKey(generateKeys().signingKey) };
const name = { namespace, filename: `cache_${cacheKey}.latest.tar.zst` };
const { signal } = new AbortController();

async function benchWithCache(t: TestContext) {
  const bench = await createFlowBench(t);
  write(bench.localDir, { ...many("a", 50), "b/large": Buffer.alloc(40 << 20, "x") });
  assert.equal((await bench.save()).status, "SUCCESS");
  return bench;
}

function upkeepOf({ context }: FlowBench, signing: Signing): UpkeepContext {
  const { store, workers, limits, logger } = context;
  return { store, work: workers.under(signal), limits, trust: new Trust(signing), logger };
}

/** What a generator returns, and all that it yielded before. */
async function resultOf<Result>(work: AsyncGenerator<ReadSoFar, Result>) {
  const yielded: number[] = [];
  for (;;) {
    const { done, value } = await work.next();
    if (done) return { result: value, yielded };
    yielded.push(value.done);
  }
}

describe("verify", () => {
  it("reads all of a sound archive, and nothing of one that is gone", async (t) => {
    const bench = await benchWithCache(t);
    const { result, yielded } = await resultOf(verifyArchive(upkeepOf(bench, {}), name, signal));
    assert.deepEqual(result, { name, bytes: readFileSync(bench.archivePath()).length });
    assert.ok(yielded.length > 2);
    assert.deepEqual(
      yielded,
      yielded.toSorted((a, b) => a - b),
    );
    assert.equal(yielded.at(-1), result?.bytes);
    rmSync(bench.archivePath());
    const gone = await resultOf(verifyArchive(upkeepOf(bench, {}), name, signal));
    assert.equal(gone.result, undefined);
  });

  it("reads one of another tool to its end, and one that has lost its own", async (t) => {
    const bench = await benchWithCache(t);
    const path = bench.archivePath();
    const sound = readFileSync(path);
    const errorOf = async (bytes: Buffer) => {
      writeFileSync(path, bytes);
      const { result } = await resultOf(verifyArchive(upkeepOf(bench, {}), name, signal));
      return result?.error?.reason;
    };
    assert.equal(await errorOf(sound.subarray(0, sound.length >> 1)), "ARCHIVE_CORRUPT");
    assert.equal(await errorOf(Buffer.alloc(40_000)), "ARCHIVE_CORRUPT");
    assert.equal(await errorOf(noise(40_000)), "ARCHIVE_CORRUPT");
    const tar = Buffer.concat([rawEntry({ name: "a", content: noise(3000) }), tarEnd]);
    assert.equal(await errorOf(gzipSync(tar)), undefined);
    assert.equal(await errorOf(gzipSync(tar).subarray(0, -9)), "ARCHIVE_CORRUPT");
  });

  it("finds each kind of damage, and changes nothing", async (t) => {
    const bench = await benchWithCache(t);
    const path = bench.archivePath();
    const sound = readFileSync(path);
    const { length } = sound;
    // A frame, the file index, the manifest, the seek table; and an end that is missing.
    const places = [length >> 2, length - 3000, length - 600, length - 12];
    const damaged = places.map((at) => {
      const bytes = Buffer.from(sound);
      bytes[at] = (bytes[at] as number) ^ 1;
      return bytes;
    });
    for (const bytes of damaged) {
      writeFileSync(path, bytes);
      const { result } = await resultOf(verifyArchive(upkeepOf(bench, {}), name, signal));
      assert.match(result?.error?.reason ?? "sound", /^ARCHIVE_(CORRUPT|UNSAFE)$/);
      assert.deepEqual(readFileSync(path), bytes);
    }
  });

  it("finds an archive under another's name", async (t) => {
    const bench = await benchWithCache(t);
    const filename = "cache_0123456789ab.latest.tar.zst";
    cpSync(bench.archivePath(), join(bench.dir, "store", namespace, filename));
    const wrong = { namespace, filename };
    const { result } = await resultOf(verifyArchive(upkeepOf(bench, {}), wrong, signal));
    assert.equal(result?.error?.reason, "ARCHIVE_UNSAFE");
  });

  it("requires a signature where there are keys to trust", async (t) => {
    const bench = await benchWithCache(t);
    const trusts = upkeepOf(bench, { trusted: ours.trusted });
    const before = await resultOf(verifyArchive(trusts, name, signal));
    assert.equal(before.result?.error?.reason, "ARCHIVE_UNTRUSTED");
    await resultOf(signArchive(upkeepOf(bench, { key: ours.key }), name, signal));
    const after = await resultOf(verifyArchive(trusts, name, signal));
    assert.equal(after.result?.error, undefined);
    assert.equal(after.result?.signedBy, ours.key.id);
  });
});

describe("sign", () => {
  it("signs what is stored, once, and it loads as before", async (t) => {
    const bench = await benchWithCache(t);
    const signs = upkeepOf(bench, { key: ours.key });
    assert.equal((await resultOf(signArchive(signs, name, signal))).result, "signed");
    assert.equal((await resultOf(signArchive(signs, name, signal))).result, "is signed");
    const storeDir = join(bench.dir, "store");
    const trusting = await createFlowBench(t, { storeDir, signing: { trusted: ours.trusted } });
    const loaded = await trusting.load();
    assert.equal(loaded.status, "SUCCESS");
    assert.equal(loaded.cache?.generation, 1);
    assert.deepEqual(contents(trusting.localDir), contents(bench.localDir));
  });

  it("takes over what a trusted key signed, and nothing else", async (t) => {
    const bench = await benchWithCache(t);
    const { signingKey: next } = generateKeys();
    const rotates = upkeepOf(bench, { key: parseSigningKey(next), trusted: ours.trusted });
    const isUntrusted = { reason: "ARCHIVE_UNTRUSTED" };
    await assert.rejects(resultOf(signArchive(rotates, name, signal)), isUntrusted);
    await resultOf(signArchive(upkeepOf(bench, { key: ours.key }), name, signal));
    assert.equal((await resultOf(signArchive(rotates, name, signal))).result, "signed");
    assert.equal((await resultOf(signArchive(rotates, name, signal))).result, "is signed");
  });

  it("keeps who saved an archive, and when", async (t) => {
    const bench = await benchWithCache(t);
    const described = async () => {
      const {
        signedBy: _,
        archiveBytes: __,
        ...rest
      } = (await bench.load({ policy: "REPLACE" })).cache ?? {};
      return rest as { origin?: object };
    };
    const before = await described();
    assert.deepEqual(before.origin, { saver: "bench-1", revision: "sha256:0f0f" });
    await resultOf(signArchive(upkeepOf(bench, { key: ours.key }), name, signal));
    assert.deepEqual(await described(), before);
  });

  it("vouches for no archive under another's name", async (t) => {
    const bench = await benchWithCache(t);
    const filename = "cache_0123456789ab.latest.tar.zst";
    cpSync(bench.archivePath(), join(bench.dir, "store", namespace, filename));
    const signs = upkeepOf(bench, { key: ours.key });
    await assert.rejects(resultOf(signArchive(signs, { namespace, filename }, signal)), {
      reason: "ARCHIVE_UNSAFE",
    });
  });

  it("vouches for nothing that is damaged", async (t) => {
    const bench = await benchWithCache(t);
    const path = bench.archivePath();
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] as number) ^ 1;
    writeFileSync(path, bytes);
    const signs = upkeepOf(bench, { key: ours.key });
    await assert.rejects(resultOf(signArchive(signs, name, signal)), { reason: "ARCHIVE_CORRUPT" });
    assert.deepEqual(readFileSync(path), bytes);
    assert.deepEqual(
      bench.storeFiles().filter((each) => each.includes("partial")),
      [],
    );
  });

  it("vouches for nothing under another cache's name, from where it could be moved to its own", async (t) => {
    const bench = await benchWithCache(t);
    const filename = "cache_0123456789ab.latest.tar.zst";
    const path = join(bench.dir, "store", namespace, filename);
    cpSync(bench.archivePath(), path);
    const before = readFileSync(path);
    const signs = upkeepOf(bench, { key: ours.key });
    const signing = resultOf(signArchive(signs, { namespace, filename }, signal));
    await assert.rejects(signing, { reason: "ARCHIVE_UNSAFE" });
    assert.deepEqual(readFileSync(path), before);
  });

  it("vouches for nothing that only claims to be signed", async (t) => {
    const storeDir = join((await createFlowBench(t)).dir, "store");
    const forged = { key: { ...theirs.key, id: ours.key.id } };
    const bench = await createFlowBench(t, { storeDir, signing: forged });
    write(bench.localDir, many("a", 5));
    await bench.save();
    const signs = upkeepOf(bench, { key: ours.key });
    await assert.rejects(resultOf(signArchive(signs, name, signal)), {
      reason: "ARCHIVE_UNTRUSTED",
    });
  });

  it("where keys are trusted, signs only what they signed", async (t) => {
    const bench = await benchWithCache(t);
    const rotates = upkeepOf(bench, { key: theirs.key, trusted: ours.trusted });
    const rotating = () => resultOf(signArchive(rotates, name, signal));
    await assert.rejects(rotating(), { reason: "ARCHIVE_UNTRUSTED" });
    await resultOf(signArchive(upkeepOf(bench, { key: ours.key }), name, signal));
    assert.equal((await rotating()).result, "signed");
    assert.equal((await rotating()).result, "is signed");
  });
});
