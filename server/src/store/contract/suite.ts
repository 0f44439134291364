import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type ArchiveName,
  type ArchiveReader,
  ArchiveReplaced,
  type ArchiveWriter,
  type CommitMode,
  type Store,
  type StoredFile,
} from "../store.ts";

/** Storage for archives, fresh and empty, and stores over it. */
export interface TestStorage {
  /** Another store over the same storage, as another machine has one. */
  connect(): Promise<Store>;
  /**
   * Whether of several commits at one moment the last wins, because the storage offers nothing better.
   * Archives are whole all the same.
   */
  readonly lastWins?: boolean;
}

const name = archiveName("0123456789ab");

function archiveName(key: string, namespace = "contract", format = "tar.zst"): ArchiveName {
  return { namespace, filename: `cache_${key}.latest.${format}` };
}

async function writing(store: Store, content: string | Buffer, of = name): Promise<ArchiveWriter> {
  const writer = await store.create(of);
  await writer.write(Buffer.from(content as string));
  return writer;
}

async function put(
  store: Store,
  content: string | Buffer,
  { of = name, mode = "create" }: { of?: ArchiveName; mode?: CommitMode } = {},
): Promise<"committed" | "exists"> {
  const writer = await writing(store, content, of);
  try {
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

async function withReader<T>(
  store: Store,
  body: (reader: ArchiveReader) => T | Promise<T>,
  of = name,
): Promise<T> {
  const reader = await store.open(of);
  assert.ok(reader, `${of.namespace}/${of.filename} is absent`);
  try {
    return await body(reader);
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

const readAll = async (reader: ArchiveReader) => (await reader.read(0, reader.bytes)).toString();
const contentOf = (store: Store, of = name) => withReader(store, readAll, of);
const versionOf = (store: Store, of = name) => withReader(store, ({ version }) => version, of);

async function isAbsent(store: Store, of = name): Promise<boolean> {
  const reader = await store.open(of);
  await reader?.[Symbol.asyncDispose]();
  return reader === undefined;
}

type CommitResult = Awaited<ReturnType<ArchiveWriter["commit"]>>;

const winnersOf = (results: readonly CommitResult[]) =>
  results.flatMap((result, n) => (result === "committed" ? [String(n)] : []));

function assertOneWon({ lastWins }: TestStorage, results: readonly CommitResult[]): void {
  const { length } = winnersOf(results);
  assert.ok(lastWins ? length >= 1 : length === 1, `${length} have won`);
}

/** What every store must do. Each test gets storage of its own. */
export function testStore(
  what: string,
  makeStorage: (t: TestContext) => Promise<TestStorage>,
): void {
  const check = (outcome: string, body: (store: Store, storage: TestStorage) => Promise<void>) =>
    it(outcome, async (t) => {
      const storage = await makeStorage(t);
      await body(await storage.connect(), storage);
    });

  describe(`${what}: an archive`, () => {
    check("is absent before it was made", async (store) => {
      assert.ok(await isAbsent(store));
      assert.deepEqual(await store.list(undefined), []);
      assert.deepEqual(await store.list(name.namespace), []);
      assert.equal(await store.remove(name), false);
      assert.equal(await store.setAside(name, "any version"), false);
    });

    check("is read back, in any ranges", async (store) => {
      const content = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251));
      assert.equal(await put(store, content), "committed");
      await withReader(store, async (reader) => {
        assert.equal(reader.bytes, content.length);
        assert.deepEqual({ ...name }, { namespace: reader.namespace, filename: reader.filename });
        assert.ok(Math.abs(reader.modifiedAt.getTime() - Date.now()) < 3_600_000);
        const ranges = [
          [0, 1],
          [0, 100_000],
          [99_999, 1],
          [5_000, 70_000],
          [0, 0],
        ] as const;
        const read = await Promise.all(ranges.map(([at, length]) => reader.read(at, length)));
        for (const [i, [at, length]] of ranges.entries())
          assert.ok(read[i]?.equals(content.subarray(at, at + length)), `${length} from ${at}`);
        assert.ok((await reader.read(99_990, 50)).equals(content.subarray(99_990)));
        assert.equal((await reader.read(100_000, 5)).length, 0);
      });
    });

    check("is made of all that was written, in order", async (store) => {
      const writer = await store.create(name);
      const chunks = Array.from({ length: 40 }, (_, n) => Buffer.alloc(n * 10_000, n));
      for (const chunk of chunks) await writer.write(chunk);
      const whole = Buffer.concat(chunks);
      assert.equal(writer.bytesWritten, whole.length);
      assert.equal(await writer.commit("create"), "committed");
      await writer.abort();
      await withReader(store, async (reader) => {
        assert.ok((await reader.read(0, whole.length)).equals(whole));
      });
    });

    check("may be changed by the writer of a chunk once that is written", async (store) => {
      const writer = await store.create(name);
      const chunk = Buffer.from("first");
      await writer.write(chunk);
      chunk.write("xxxxx");
      await writer.commit("create");
      assert.equal(await contentOf(store), "first");
    });

    check("is seen by others when it is committed, and not before", async (store, storage) => {
      const other = await storage.connect();
      const writer = await writing(store, "whole");
      for (const each of [store, other]) {
        assert.ok(await isAbsent(each));
        assert.deepEqual(await each.list(undefined), []);
      }
      await writer.commit("create");
      for (const each of [store, other]) {
        assert.equal(await contentOf(each), "whole");
        assert.deepEqual(await each.list(undefined), [name]);
      }
    });

    check("is not seen at all when its writer gives up", async (store) => {
      const writer = await writing(store, "half");
      await writer.abort();
      await writer.abort();
      assert.ok(await isAbsent(store));
      assert.deepEqual(await store.list(undefined), []);
      assert.equal(await put(store, "whole"), "committed");
    });

    check("stays when its writer gives up after the commit", async (store) => {
      const writer = await writing(store, "whole");
      await writer.commit("create");
      await writer.abort();
      assert.equal(await contentOf(store), "whole");
    });
  });

  describe(`${what}: commits`, () => {
    check("to create: the first wins, and stays as it is", async (store, storage) => {
      const other = await storage.connect();
      assert.equal(await put(store, "first"), "committed");
      const version = await versionOf(store);
      assert.equal(await put(other, "second"), "exists");
      assert.equal(await contentOf(store), "first");
      assert.equal(await versionOf(other), version);
    });

    check("to create: one of many at once wins", async (store, storage) => {
      const stores = [store, await storage.connect(), await storage.connect()];
      const writers = await Promise.all(
        Array.from({ length: 12 }, (_, n) => writing(stores[n % 3] as Store, `number ${n}`)),
      );
      const results = await Promise.all(writers.map((writer) => writer.commit("create")));
      await Promise.all(writers.map((writer) => writer.abort()));
      assertOneWon(storage, results);
      assert.ok(winnersOf(results).includes((await contentOf(store)).replace("number ", "")));
      assert.deepEqual(await store.list(undefined), [name]);
    });

    check("to replace: the archive is another, whole", async (store) => {
      assert.equal(await put(store, "made", { mode: "replace" }), "committed");
      const version = await versionOf(store);
      assert.equal(await put(store, "replaced", { mode: "replace" }), "committed");
      assert.equal(await contentOf(store), "replaced");
      assert.notEqual(await versionOf(store), version);
      assert.deepEqual(await store.list(undefined), [name]);
    });

    check("to replace: of many at once all succeed, and one of them stays", async (store) => {
      await put(store, "before");
      const contents = Array.from({ length: 8 }, (_, n) => `number ${n}`.repeat(10_000));
      const results = contents.map((content) => put(store, content, { mode: "replace" }));
      assert.ok((await Promise.all(results)).every((result) => result === "committed"));
      assert.ok(contents.includes(await contentOf(store)));
    });

    check("to replace a version: only while the archive is of that version", async (store) => {
      const other = { mode: { replaces: "another version" } } as const;
      assert.equal(await put(store, "nothing to replace", other), "exists");
      assert.ok(await isAbsent(store));
      await put(store, "one");
      assert.equal(await put(store, "another", other), "exists");
      assert.equal(await contentOf(store), "one");
      const one = { mode: { replaces: await versionOf(store) } };
      assert.equal(await put(store, "two", one), "committed");
      assert.equal(await contentOf(store), "two");
      assert.equal(await put(store, "late", one), "exists");
      const two = { mode: { replaces: await versionOf(store) } };
      assert.equal(await put(store, "three", two), "committed");
      assert.equal(await contentOf(store), "three");
    });

    check("to replace a version: one of many at once wins", async (store, storage) => {
      const stores = [store, await storage.connect()];
      await put(store, "before");
      for (let round = 0; round < 3; round++) {
        const mode = { replaces: await versionOf(store) };
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, n) =>
            put(stores[n % 2] as Store, `round ${round}, number ${n}`, { mode }),
          ),
        );
        assertOneWon(storage, results);
        const [inRound, winner = ""] = (await contentOf(store)).split(", number ");
        assert.equal(inRound, `round ${round}`);
        assert.ok(winnersOf(results).includes(winner));
      }
    });

    check("to replace: also an archive that came while it was written", async (store) => {
      await put(store, "base");
      const late = await writing(store, "replaces whatever is there");
      const mode = { replaces: await versionOf(store) };
      assert.equal(await put(store, "replaces the base", { mode }), "committed");
      assert.equal(await late.commit("replace"), "committed");
      assert.equal(await contentOf(store), "replaces whatever is there");
    });

    check("to create: none while an archive that replaced another is there", async (store) => {
      await put(store, "one");
      await put(store, "two", { mode: { replaces: await versionOf(store) } });
      assert.equal(await put(store, "three"), "exists");
      assert.ok(await store.remove(name));
      assert.ok(await isAbsent(store));
      assert.equal(await put(store, "four"), "committed");
      assert.equal(await contentOf(store), "four");
    });
  });

  describe(`${what}: a reader`, () => {
    const old = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
    const fresh = Buffer.alloc(400_000, "f");
    const takenAway: Record<string, (store: Store) => Promise<unknown>> = {
      replaced: (store) => put(store, fresh, { mode: "replace" }),
      refreshed: async (store) => put(store, fresh, { mode: { replaces: await versionOf(store) } }),
      removed: (store) => store.remove(name),
      "set aside": async (store) => store.setAside(name, await versionOf(store)),
    };
    const readsItsOwn = async (reader: ArchiveReader, offset: number) => {
      try {
        const read = await reader.read(offset, 500_000);
        assert.ok(read.equals(old.subarray(offset)), `other bytes from ${offset}`);
      } catch (error) {
        if (!(error instanceof ArchiveReplaced)) throw error;
        assert.equal(error.reason, "STORE_UNAVAILABLE");
      }
    };
    for (const [change, takeAway] of Object.entries(takenAway))
      check(
        `reads its own archive or throws ArchiveReplaced once that is ${change}`,
        async (store, storage) => {
          await put(store, old);
          const other = await storage.connect();
          await withReader(other, async (begun) => {
            await begun.read(0, 1000);
            await withReader(other, async (unread) => {
              await takeAway(store);
              for (const reader of [begun, unread])
                for (const offset of [150_000, 1000, 0]) await readsItsOwn(reader, offset);
            });
          });
        },
      );

    check("knows its archive's version, which no other archive has", async (store, storage) => {
      const versions = new Set<string>();
      for (const content of ["same", "same", "other"]) {
        await put(store, content, { mode: "replace" });
        const version = await versionOf(store);
        assert.equal(await versionOf(await storage.connect()), version);
        versions.add(version);
      }
      assert.equal(versions.size, 3);
    });

    check("may be closed twice, and while it reads", async (store) => {
      await put(store, Buffer.alloc(100_000));
      const reader = await store.open(name);
      assert.ok(reader);
      const reading = reader.read(0, 100_000).catch(() => {});
      await reader[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      await reading;
    });
  });

  describe(`${what}: a listing`, () => {
    check("has archives by namespace, then file name", async (store) => {
      const names = [
        archiveName("00000000000b", "b"),
        archiveName("00000000000a", "a"),
        archiveName("00000000000b", "a", "tar.gz"),
        archiveName("00000000000b", "a"),
        archiveName("00000000000c", "a.b-c_d"),
      ];
      for (const of of names) await put(store, "x", { of });
      const text = ({ namespace, filename }: ArchiveName) => `${namespace}/${filename}`;
      assert.deepEqual((await store.list(undefined)).map(text), [
        "a/cache_00000000000a.latest.tar.zst",
        "a/cache_00000000000b.latest.tar.gz",
        "a/cache_00000000000b.latest.tar.zst",
        "a.b-c_d/cache_00000000000c.latest.tar.zst",
        "b/cache_00000000000b.latest.tar.zst",
      ]);
      assert.deepEqual((await store.list("b")).map(text), ["b/cache_00000000000b.latest.tar.zst"]);
      assert.deepEqual(await store.list("c"), []);
    });

    check("does not mix namespaces whose names begin alike", async (store) => {
      await put(store, "one", { of: archiveName("0123456789ab", "model") });
      await put(store, "two", { of: archiveName("0123456789ab", "model-large") });
      assert.equal((await store.list("model")).length, 1);
      assert.equal(await contentOf(store, archiveName("0123456789ab", "model")), "one");
    });

    check("has namespaces that are ids of models as they are, each apart", async (store) => {
      const namespaces = [
        "/srv/m",
        "Org/Model",
        "a+b@1",
        "a/b",
        "a-b",
        "a",
        "org/model",
        "x:latest",
      ];
      for (const namespace of namespaces)
        await put(store, namespace, { of: archiveName("0123456789ab", namespace) });
      const listed = await store.list(undefined);
      assert.deepEqual(
        listed.map(({ namespace }) => namespace),
        namespaces.toSorted(),
      );
      for (const namespace of namespaces) {
        const of = archiveName("0123456789ab", namespace);
        assert.deepEqual(await store.list(namespace), [of]);
        assert.equal(await contentOf(store, of), namespace);
      }
      const { files } = await store.inventory();
      assert.deepEqual(files.map(({ namespace }) => namespace).sort(), namespaces.toSorted());
      for (const file of files) assert.ok(await store.removeFile(file));
      assert.deepEqual(await store.list(undefined), []);
    });

    check("has neither what is being written nor what was set aside", async (store) => {
      await put(store, "damaged");
      await store.setAside(name, await versionOf(store));
      const writer = await writing(store, "half");
      assert.deepEqual(await store.list(undefined), []);
      assert.deepEqual(await store.list(name.namespace), []);
      await writer.abort();
    });
  });

  describe(`${what}: removing`, () => {
    check("takes an archive away once, and its neighbours never", async (store) => {
      const neighbour = archiveName("0123456789ac");
      await put(store, "mine");
      await put(store, "neighbour", { of: neighbour });
      assert.equal(await store.remove(name), true);
      assert.equal(await store.remove(name), false);
      assert.ok(await isAbsent(store));
      assert.equal(await contentOf(store, neighbour), "neighbour");
      assert.equal(await put(store, "again"), "committed");
    });
  });

  describe(`${what}: setting aside`, () => {
    check("takes the damaged archive's name away, so that a save heals it", async (store) => {
      await put(store, "damaged");
      assert.equal(await store.setAside(name, await versionOf(store)), true);
      assert.ok(await isAbsent(store));
      assert.deepEqual(await store.list(undefined), []);
      assert.equal(await put(store, "sound"), "committed");
      assert.equal(await contentOf(store), "sound");
    });

    check("leaves an archive of another version alone", async (store) => {
      await put(store, "damaged");
      const version = await versionOf(store);
      await put(store, "sound", { mode: "replace" });
      assert.equal(await store.setAside(name, version), false);
      assert.equal(await contentOf(store), "sound");
    });

    check("happens once, though several ask for it", async (store, storage) => {
      const other = await storage.connect();
      await put(store, "damaged");
      const version = await versionOf(store);
      const results = await Promise.all(
        [store, other, store, other].map((each) => each.setAside(name, version)),
      );
      assert.equal(results.filter(Boolean).length, 1, String(results));
      assert.ok(await isAbsent(store));
    });

    check("never takes a sound archive that replaces the damaged one meanwhile", async (store) => {
      for (let round = 0; round < 10; round++) {
        await put(store, "damaged", { mode: "replace" });
        const version = await versionOf(store);
        await Promise.all([
          store.setAside(name, version),
          put(store, `sound ${round}`, { mode: "replace" }),
        ]);
        assert.equal(await contentOf(store), `sound ${round}`);
      }
    });

    check("works for an archive that replaced another", async (store) => {
      await put(store, "one");
      await put(store, "two", { mode: { replaces: await versionOf(store) } });
      assert.equal(await store.setAside(name, await versionOf(store)), true);
      assert.ok(await isAbsent(store));
      assert.equal(await put(store, "sound"), "committed");
    });
  });

  describe(`${what}: a call whose signal was aborted`, () => {
    check("throws the signal's reason, and does nothing", async (store) => {
      await put(store, "there");
      const reason = new Error("went away");
      const signal = AbortSignal.abort(reason);
      const writer = await writing(store, "more");
      const reader = await store.open(name);
      assert.ok(reader);
      const calls: Record<string, () => Promise<unknown>> = {
        open: () => store.open(name, signal),
        create: () => store.create(name, signal),
        list: () => store.list(undefined, signal),
        remove: () => store.remove(name, signal),
        setAside: () => store.setAside(name, reader.version, signal),
        read: () => reader.read(0, 1, signal),
        write: () => writer.write(Buffer.from("x"), signal),
        commit: () => writer.commit("replace", signal),
      };
      for (const [call, run] of Object.entries(calls))
        await assert.rejects(run, (error) => error === reason, call);
      await writer.abort();
      await reader[Symbol.asyncDispose]();
      assert.equal(await contentOf(store), "there");
    });
  });

  describe(`${what}: upkeep`, () => {
    const another = archiveName("ba9876543210", "contract-b");
    /** The listed files of a kind, by path. */
    const listed = async (store: Store, kind: StoredFile["kind"]) =>
      (await store.inventory()).files
        .filter((file) => file.kind === kind)
        .toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const pathOf = ({ namespace, filename }: ArchiveName) => `${namespace}/${filename}`;

    check("lists archives with size and time, and those that were set aside", async (store) => {
      await put(store, "one");
      await put(store, "another", { of: another });
      const { now, files } = await store.inventory();
      assert.deepEqual(
        files
          .map(({ kind, path, namespace, bytes }) => ({ kind, path, namespace, bytes }))
          .toSorted((a, b) => a.bytes - b.bytes),
        [
          { kind: "archive", path: pathOf(name), namespace: name.namespace, bytes: 3 },
          { kind: "archive", path: pathOf(another), namespace: another.namespace, bytes: 7 },
        ],
      );
      for (const { modifiedAt } of files)
        assert.ok(Math.abs(now.getTime() - modifiedAt.getTime()) < 60_000);
      await store.setAside(name, await versionOf(store));
      assert.deepEqual(
        (await listed(store, "archive")).map(({ path }) => path),
        [pathOf(another)],
      );
      const [damaged] = await listed(store, "damaged");
      assert.equal(damaged?.bytes, 3);
      assert.ok(damaged && (await store.removeFile(damaged)));
      assert.deepEqual(await listed(store, "damaged"), []);
    });

    check("removes an archive that is still what was listed, once", async (store, storage) => {
      const other = await storage.connect();
      await put(store, "one");
      const [file] = await listed(store, "archive");
      assert.ok(file);
      const results = await Promise.all([store, other, store].map((each) => each.removeFile(file)));
      assert.deepEqual(results.filter(Boolean), [true]);
      assert.equal(await store.open(name), undefined);
      assert.deepEqual((await store.inventory()).files, []);
      assert.equal(await put(store, "anew"), "committed");
      assert.equal(await contentOf(store), "anew");
    });

    check("removes nothing that came after it was listed", async (store, storage) => {
      const other = await storage.connect();
      await put(store, "one");
      const [file] = await listed(other, "archive");
      assert.ok(file);
      await put(store, "other one", { mode: "replace" });
      assert.equal(await other.removeFile(file), false);
      assert.equal(await contentOf(store), "other one");
    });

    check(
      "lets who reads an archive that is removed have its bytes, or none",
      async (store, storage) => {
        const other = await storage.connect();
        await put(store, "whole content");
        await withReader(store, async (reader) => {
          const [file] = await listed(other, "archive");
          assert.ok(file && (await other.removeFile(file)));
          const read = reader.read(0, reader.bytes).then(String);
          const found = await read.catch((error: unknown) => {
            assert.ok(error instanceof ArchiveReplaced);
            return "whole content";
          });
          assert.equal(found, "whole content");
        });
      },
    );

    for (const how of ["removed", "set aside"] as const)
      check(
        `brings nothing back that an archive had replaced, when it is ${how}`,
        async (store) => {
          await put(store, "first");
          for (const content of ["second", "third"])
            await put(store, content, { mode: { replaces: await versionOf(store) } });
          const [file] = await listed(store, "archive");
          assert.ok(file);
          const isDone =
            how === "removed"
              ? store.removeFile(file)
              : store.setAside(name, await versionOf(store));
          assert.equal(await isDone, true);
          assert.equal(await store.open(name), undefined);
          const kinds = (await store.inventory()).files.map(({ kind }) => kind);
          assert.deepEqual(kinds, how === "removed" ? [] : ["damaged"]);
        },
      );

    check("lists the note of an archive that is gone as left behind", async (store) => {
      await put(store, "one");
      await put(store, "another", { of: another });
      const modifiedAt = new Date(0);
      await Promise.all([name, another].map((each) => store.noteUse({ ...each, modifiedAt })));
      await store.remove(name);
      const [note, ...others] = await listed(store, "unfinished");
      assert.ok(note && others.length === 0);
      assert.ok(note.path.includes(name.filename));
      assert.equal(await store.removeFile(note), true);
      const left = (await store.inventory()).files;
      assert.deepEqual(
        left.map(({ path, usedAt }) => [path, usedAt !== undefined]),
        [[pathOf(another), true]],
      );
    });

    check("notes the use of an archive, which goes with it", async (store, storage) => {
      const other = await storage.connect();
      await put(store, "one");
      assert.equal((await listed(store, "archive"))[0]?.usedAt, undefined);
      const written = { ...name, modifiedAt: new Date() };
      await store.noteUse(written);
      assert.equal((await listed(store, "archive"))[0]?.usedAt, undefined);
      const old = { ...name, modifiedAt: new Date(0) };
      await Promise.all([store.noteUse(old), other.noteUse(old)]);
      const [file] = await listed(other, "archive");
      assert.ok(file?.usedAt && file.usedAt.getTime() >= file.modifiedAt.getTime() - 1000);
      assert.deepEqual(await store.list(undefined), [name]);
      await store.removeFile(file);
      await put(store, "anew");
      assert.equal((await listed(store, "archive"))[0]?.usedAt, undefined);
    });
  });

  describe(`${what}: about itself`, () => {
    check("says where it is, and how much room it has", async (store) => {
      assert.match(store.url, /^(file|s3):\/\/[^@]+$/);
      const free = await store.freeBytes();
      assert.ok(free === undefined || free > 0);
    });
  });
}
