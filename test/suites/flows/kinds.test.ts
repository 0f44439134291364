import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import type { ArchiveFormat } from "../../../server/src/domain/cache-id.ts";
import {
  describeAll,
  describeStored,
  listCacheArchives,
} from "../../../server/src/flows/stored-archives.ts";
import { Trust } from "../../../server/src/signing/trust.ts";
import { cacheKey, type FlowBench, namespace, suiteBench } from "../../support/flow-bench.ts";
import { type ArchiveKind, archiveKinds } from "../../support/tar/archive-kinds.ts";
import { endFrame, forgeArchive, forgedFile } from "../../support/tar/forge.ts";
import { formatWork } from "../../support/tar/format-work.ts";
import { makeTree } from "../../support/trees/trees.ts";

const plain = [forgedFile("a/one.txt"), forgedFile("b/two.txt"), endFrame];

/** Archives of ours that a load refuses: sound ones, for another cache or with something behind. */
const ownKinds: readonly ArchiveKind[] = [
  {
    what: "ours, of another namespace",
    expected: "ARCHIVE_UNSAFE",
    content: forgeArchive(plain, { manifest: (sound) => ({ ...sound, namespace: "other" }) }),
  },
  {
    what: "ours, of a newer format",
    expected: "ARCHIVE_UNSUPPORTED",
    content: forgeArchive(plain, { manifest: (sound) => ({ ...sound, version: 2 }) }),
  },
  {
    what: "ours, with a manifest that makes no sense",
    expected: "ARCHIVE_CORRUPT",
    content: forgeArchive(plain, { manifest: (sound) => ({ ...sound, frames: null }) }),
  },
  {
    what: "ours, with text behind it",
    expected: "ARCHIVE_CORRUPT",
    content: Buffer.concat([forgeArchive(plain), Buffer.from("more\n")]),
  },
  {
    what: "ours, twice",
    expected: "ARCHIVE_CORRUPT",
    content: Buffer.concat([forgeArchive(plain), forgeArchive(plain)]),
  },
];

/** The store's files by name, each with its content and time. */
function storeState(bench: FlowBench): string[] {
  const root = dirname(dirname(bench.archivePath()));
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".used"))
    .map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return `${path} ${statSync(path).mtimeMs} ${readFileSync(path).toString("hex")}`;
    })
    .sort();
}

function filesIn(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".used"))
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path) => [path.slice(dir.length + 1), readFileSync(path, "utf8")]),
  );
}

/** How something ends: the error, which must be a sentence about this archive, or the result. */
async function ending(what: string, doing: Promise<unknown>): Promise<unknown> {
  try {
    return await doing;
  } catch (error) {
    assert.ok(error instanceof CacheError, `${what}: ${(error as Error).stack}`);
    assert.match(
      error.message,
      /^bench\/cache_[0-9a-f]{12}\.latest\.tar\.(zst|gz): the archive [a-z].{15,}; it is left as it is$/s,
      what,
    );
    assert.doesNotMatch(error.message, /undefined|\[object|NaN/, what);
    assert.equal(error.provesDamage, false, `${what}: ${error.message}`);
    return error.reason;
  }
}

describe("an archive that nobody damaged", () => {
  const bench = suiteBench();
  let kinds: readonly ArchiveKind[];
  let source: string;

  before(() => {
    kinds = [...archiveKinds(bench().dir), ...ownKinds];
    source = join(bench().dir, "other-files");
    makeTree(source, { "new/file.txt": "new" });
  });

  const put = (content: Buffer, format: ArchiveFormat) => {
    for (const name of bench().storeFiles())
      rmSync(join(dirname(bench().archivePath()), name), { recursive: true });
    writeFileSync(bench().archivePath(format), content);
    rmSync(bench().localDir, { recursive: true, force: true });
    return storeState(bench());
  };

  it("is read or refused in a sentence, and stays where it is and as it is, whatever is done", async (t) => {
    const { store } = bench();
    const signal = new AbortController().signal;
    const id = { namespace, cacheKey };
    const absent: string[] = [];
    let tried = 0;
    for (const { what, expected, content } of kinds) {
      if (!content) {
        absent.push(what);
        continue;
      }
      for (const format of ["tar.zst", "tar.gz"] as const) {
        const how = `${what}, as .${format}`;
        const state = put(content, format);
        const unchanged = (after: string) => {
          tried += 1;
          assert.deepEqual(storeState(bench()), state, `${how}: changed by ${after}`);
        };
        const loaded = await ending(how, bench().load());
        if (typeof expected === "string") assert.equal(loaded, expected, how);
        else {
          assert.equal((loaded as { status?: string }).status, "SUCCESS", `${how}: ${loaded}`);
          assert.deepEqual(filesIn(bench().localDir), expected.files, how);
        }
        unchanged("a load");
        const described = await describeStored(
          { store, work: formatWork, trust: new Trust({}) },
          id,
          signal,
        );
        assert.equal(described?.filename, basename(bench().archivePath(format)), how);
        unchanged("info");
        const names = await listCacheArchives(store, undefined, signal);
        assert.equal(
          (await describeAll({ store, work: formatWork, trust: new Trust({}) }, names, signal))
            .length,
          1,
          how,
        );
        unchanged("a listing");
        const saved = await ending(how, bench().save({ from: source }));
        const isRefused = typeof saved === "string";
        if (isRefused) assert.equal(saved, expected, how);
        else assert.equal((saved as { skipReason?: string }).skipReason, "ALREADY_STORED", how);
        unchanged("a save that skips");
        if (typeof expected !== "string") continue;
        const refreshed = await ending(how, bench().save({ policy: "REFRESH", from: source }));
        assert.equal(refreshed, expected, how);
        unchanged("a refresh");
      }
    }
    t.diagnostic(`${kinds.length - absent.length} kinds, ${tried} times tried`);
    if (absent.length > 0) t.diagnostic(`not made on this machine: ${absent.join("; ")}`);
    assert.ok(tried > 0, "nothing was tried");
    assert.ok(absent.length < kinds.length / 2, `this machine made too few: ${absent}`);
  });

  it("gives way to a save that replaces, and only to that", async () => {
    for (const { content } of ownKinds) {
      put(content as Buffer, "tar.zst");
      const saved = await bench().save({ policy: "REPLACE", from: source });
      assert.equal(saved.status, "SUCCESS");
      assert.equal((await bench().load()).status, "SUCCESS");
    }
  });
});
