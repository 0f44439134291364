import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import type { ArchiveFormat } from "../../../server/src/domain/cache-id.ts";
import { cacheKeyOf, environmentKey } from "../../../server/src/domain/environment.ts";
import { describeStored } from "../../../server/src/flows/stored-archives.ts";
import { type ArchiveReader, ArchiveReplaced } from "../../../server/src/store/store.ts";
import {
  cacheKey,
  createFlowBench,
  environment,
  type FlowBench,
  namespace,
} from "../../support/flow-bench.ts";
import { formatWork } from "../../support/tar/format-work.ts";
import { rawEntry, tarEnd } from "../../support/tar/raw-tar.ts";
import { listTree, makeTree, noise } from "../../support/trees/trees.ts";

const files = { "a/one.bin": noise(30_000), "b/two.json": "{}".repeat(500) };

async function benchWithArchive(t: TestContext, format: ArchiveFormat = "tar.zst") {
  const bench = await createFlowBench(t);
  makeTree(bench.localDir, files);
  await bench.save({ format });
  const sound = readFileSync(bench.archivePath(format));
  return { bench, sound };
}

const flip = (content: Buffer, at: number) => {
  const damaged = Buffer.from(content);
  damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at);
  return damaged;
};

const tar = Buffer.concat([
  rawEntry({ name: "a", content: noise(50_000).toString("hex") }),
  tarEnd,
]);
const checked = zstdCompressSync(tar, { params: { 201: 1 } });

/** Damage that a digest or a length proves, in archives of ours and of other tools. */
async function damagedArchives(t: TestContext): Promise<[string, ArchiveFormat, Buffer][]> {
  const { sound: zst } = await benchWithArchive(t);
  const { sound: gz } = await benchWithArchive(t, "tar.gz");
  return [
    ["ours, a bit of a frame", "tar.zst", flip(zst, 1000)],
    [
      "ours, a bit of the file index",
      "tar.zst",
      flip(zst, zst.indexOf(Buffer.from("502a4d18", "hex")) + 20),
    ],
    ["ours, a bit of the manifest", "tar.zst", flip(zst, zst.indexOf('"generation"'))],
    ["ours, a bit of the seek table", "tar.zst", flip(zst, zst.length - 12)],
    ["ours, cut in a frame", "tar.zst", zst.subarray(0, 1000)],
    ["ours, cut in the manifest", "tar.zst", zst.subarray(0, zst.indexOf('"generation"'))],
    ["ours, without its last byte", "tar.zst", zst.subarray(0, -1)],
    ["tar.gz of ours, a bit", "tar.gz", flip(gz, gz.length >> 1)],
    ["tar.gz of ours, cut", "tar.gz", gz.subarray(0, gz.length >> 1)],
    ["tar.gz, a bit of its checksum", "tar.gz", flip(gzipSync(tar), gzipSync(tar).length - 6)],
    ["tar.gz, cut", "tar.gz", gzipSync(tar).subarray(0, -1)],
    ["tar.zst, a bit", "tar.zst", flip(checked, checked.length >> 1)],
    ["tar.zst, a bit of its checksum", "tar.zst", flip(checked, checked.length - 2)],
    ["tar.zst, cut", "tar.zst", checked.subarray(0, -5)],
    ["tar, cut in a file", "tar.zst", tar.subarray(0, 3000)],
  ];
}

/** Pauses are random shares of a time. */
function withoutPauses(t: TestContext) {
  t.mock.method(Math, "random", () => 0);
}

/** What is hidden in the store's namespace, of archives that were set aside. */
function setAside(bench: FlowBench): Buffer[] {
  const dir = dirname(bench.archivePath());
  const hidden = readdirSync(dir).filter((name) => name.endsWith(".damaged"));
  return hidden.map((name) => readFileSync(join(dir, name)));
}

describe("a damaged archive", () => {
  it("is set aside by a load, and healed by a save of each policy, without a load before it", async (t) => {
    const { bench } = await benchWithArchive(t);
    withoutPauses(t);
    let tried = 0;
    for (const [what, format, damaged] of await damagedArchives(t))
      for (const doing of ["load", "SKIP", "REFRESH"] as const) {
        const how = `${what}, ${doing}`;
        for (const name of bench.storeFiles())
          rmSync(join(dirname(bench.archivePath()), name), { recursive: true });
        writeFileSync(bench.archivePath(format), damaged);
        const id = { namespace, cacheKey };
        const reading = { ...bench.context, work: formatWork };
        assert.ok(await describeStored(reading, id, new AbortController().signal), how);
        assert.deepEqual(setAside(bench), [], `${how}: a look sets nothing aside`);
        if (doing === "load") {
          const into = join(bench.dir, "loaded");
          await assert.rejects(bench.load({ into }), (error) => {
            assert.ok(error instanceof CacheError && error.provesDamage, `${how}: ${error}`);
            assert.match(
              error.message,
              /the archive is damaged: .*; it was set aside, and the next/,
            );
            return true;
          });
        }
        const policy = doing === "load" ? "SKIP" : doing;
        rmSync(bench.localDir, { recursive: true });
        makeTree(bench.localDir, { ...files, "new/file": "new" });
        const expected = listTree(bench.localDir);
        const saved = await bench.save({ policy });
        // A save that skips looks at both ends of an archive only.
        const isUnseen = doing === "SKIP" && saved.skipReason === "ALREADY_STORED";
        if (isUnseen) continue;
        assert.equal(saved.status, "SUCCESS", how);
        assert.equal(setAside(bench).length, 1, how);
        assert.ok(setAside(bench)[0]?.equals(damaged), `${how}: nothing is lost`);
        rmSync(bench.localDir, { recursive: true });
        assert.equal((await bench.load()).status, "SUCCESS", how);
        assert.deepEqual(listTree(bench.localDir), expected, how);
        tried += 1;
      }
    t.diagnostic(`${tried} times healed`);
    assert.ok(tried >= 30);
  });

  it("is given up after a bounded number of tries where another takes its place each time", async (t) => {
    const { bench, sound } = await benchWithArchive(t);
    withoutPauses(t);
    const { open } = bench.store;
    let opened = 0;
    t.mock.method(bench.store, "open", (...args: Parameters<typeof open>) => {
      if (args[0].filename.endsWith("zst")) {
        opened += 1;
        const next = `${bench.archivePath()}.next`;
        writeFileSync(next, flip(sound, 1000 + opened));
        renameSync(next, bench.archivePath());
      }
      return open(...args);
    });
    const load = bench.load({ into: join(bench.dir, "loaded") });
    await assert.rejects(load, { reason: "ARCHIVE_CORRUPT" });
    assert.equal(opened, 20);
    assert.deepEqual(setAside(bench), [], "none was read twice");
  });

  it("keeps no load from ending when it is cancelled", async (t) => {
    const { bench, sound } = await benchWithArchive(t);
    const { open } = bench.store;
    const caller = new AbortController();
    let opened = 0;
    t.mock.method(bench.store, "open", (...args: Parameters<typeof open>) => {
      opened += 1;
      writeFileSync(bench.archivePath(), flip(sound, 1000 + opened));
      if (opened === 3) setImmediate(() => caller.abort(new Error("gone")));
      return open(...args);
    });
    const load = bench.load({ into: join(bench.dir, "loaded"), signal: caller.signal });
    await assert.rejects(load, /gone/);
    assert.ok(opened < 6);
  });
});

describe("a refresh", () => {
  it("gives up after a bounded number of lost races", async (t) => {
    const { bench } = await benchWithArchive(t);
    makeTree(bench.localDir, { "new/file": "new" });
    const { create } = bench.store;
    withoutPauses(t);
    let lost = 0;
    t.mock.method(bench.store, "create", async (...args: Parameters<typeof create>) => {
      const writer = await create(...args);
      writer.commit = async () => {
        lost += 1;
        return "exists";
      };
      return writer;
    });
    await assert.rejects(bench.save({ policy: "REFRESH" }), {
      reason: "STORE_UNAVAILABLE",
      message: /other saves of this cache came first, 100 times/,
    });
    assert.equal(lost, 100);
  });
});

describe("an archive that was copied or renamed by hand", () => {
  it("is refused in words under another namespace, and left alone by all but REPLACE", async (t) => {
    const { bench, sound } = await benchWithArchive(t);
    const promoted = join(dirname(dirname(bench.archivePath())), "bench-prod");
    cpSync(dirname(bench.archivePath()), promoted, { recursive: true });
    const copy = join(promoted, basename(bench.archivePath()));
    const into = join(bench.dir, "loaded");
    await assert.rejects(bench.load({ namespace: "bench-prod", into }), {
      reason: "ARCHIVE_UNSAFE",
      message:
        /^bench-prod\/cache_\w+\.latest\.tar\.zst: the archive was saved for namespace bench, and not for namespace bench-prod: it was copied or renamed by hand\. Load it from where/,
    });
    assert.deepEqual(readdirSync(promoted), [basename(copy)]);
    assert.ok(readFileSync(copy).equals(sound));
    const id = { namespace: "bench-prod", cacheKey };
    const reading = { ...bench.context, work: formatWork };
    const described = await describeStored(reading, id, new AbortController().signal);
    assert.equal(described?.environment, undefined, "it is not shown as a cache of bench-prod");
  });

  it("is refused in words under another cache key", async (t) => {
    const { bench, sound } = await benchWithArchive(t);
    const other = { ...environment, torchVersion: "2.2.0" };
    const renamed = bench.archivePath().replace(cacheKey, cacheKeyOf(environmentKey(other)));
    const { open } = bench.store;
    renameSync(bench.archivePath(), renamed);
    // The bench asks for one cache key, whatever the environment is.
    t.mock.method(bench.store, "open", (name: { namespace: string; filename: string }) =>
      open({
        ...name,
        filename: name.filename.replace(cacheKey, cacheKeyOf(environmentKey(other))),
      }),
    );
    await assert.rejects(bench.load({ environment: other, into: join(bench.dir, "loaded") }), {
      reason: "ARCHIVE_UNSAFE",
      message: /torch-2\.1\.0.*torch-2\.2\.0.*it is left as it is/s,
    });
    assert.ok(readFileSync(renamed).equals(sound));
  });

  it("is compared by a refresh under the name of the other format", async (t) => {
    const { bench } = await benchWithArchive(t);
    renameSync(bench.archivePath(), bench.archivePath("tar.gz"));
    rmSync(bench.localDir, { recursive: true });
    makeTree(bench.localDir, { "new/file": "new" });
    const saved = await bench.save({ policy: "REFRESH" });
    assert.equal(saved.cache?.fileCount, 3, "the union");
    assert.deepEqual(bench.storeFiles(), [basename(bench.archivePath())]);
  });
});

/** Ways in which a store fails to give bytes that it has. */
const flakyReads: Record<string, (reader: ArchiveReader) => ArchiveReader["read"]> = {
  "a read error": () => () =>
    Promise.reject(new CacheError("STORE_UNAVAILABLE", "the store failed: EIO")),
  "no bytes": () => async () => Buffer.alloc(0),
  "a byte too few": (reader) => async (offset, length, signal) =>
    (await reader.read(offset, length, signal)).subarray(0, -1),
  "half of what was asked for": (reader) => (offset, length, signal) =>
    reader.read(offset, length >> 1, signal),
  "a stale handle": () => () => Promise.reject(new ArchiveReplaced("here", undefined)),
};

describe("a store that fails to give bytes", () => {
  for (const [what, fail] of Object.entries(flakyReads))
    it(`is unavailable, and its archive is not damaged: ${what}`, async (t) => {
      const { bench, sound } = await benchWithArchive(t);
      withoutPauses(t);
      makeTree(bench.localDir, { "new/file": "new" });
      const { open } = bench.store;
      const contents: readonly [ArchiveFormat, Buffer][] = [
        ["tar.zst", sound],
        ["tar.zst", checked],
        ["tar.gz", gzipSync(tar)],
      ];
      let failAfter = 0;
      t.mock.method(bench.store, "open", async (...args: Parameters<typeof open>) => {
        const reader = await open(...args);
        if (!reader) return undefined;
        let reads = 0;
        const failing = fail(reader);
        const read: ArchiveReader["read"] = (...where) =>
          reads++ < failAfter ? reader.read(...where) : failing(...where);
        return { ...reader, read };
      });
      // The first read is of the end, the next ones of the index, of a frame, or of the start.
      for (const [format, content] of contents)
        for (failAfter of [0, 1, 2]) {
          rmSync(bench.archivePath(), { force: true });
          rmSync(bench.archivePath("tar.gz"), { force: true });
          writeFileSync(bench.archivePath(format), content);
          const into = join(bench.dir, "loaded");
          rmSync(into, { recursive: true, force: true });
          for (const doing of [() => bench.load({ into }), () => bench.save({ policy: "REFRESH" })])
            await doing().catch((error: unknown) => {
              assert.ok(error instanceof CacheError);
              assert.equal(error.reason, "STORE_UNAVAILABLE", error.message);
              assert.ok(!error.provesDamage);
            });
          assert.deepEqual(setAside(bench), [], `after ${failAfter} reads`);
        }
    });
});
