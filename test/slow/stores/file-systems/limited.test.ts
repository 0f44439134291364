import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { testStore } from "../../../../server/src/store/contract/suite.ts";
import {
  ArchiveReplaced,
  type CommitMode,
  type Store,
} from "../../../../server/src/store/store.ts";
import { openFileStore } from "../../../support/file-store.ts";
import { cannotRun } from "../../../support/machine/programs.ts";
import { runsAll } from "../../../support/machine/tools.ts";
import { mountLimited } from "./limited-fuse.ts";

interface LimitedFileSystem {
  readonly like: string;
  readonly limits: readonly string[];
  readonly lastWins?: boolean;
}

/** File systems on which the store keeps its contract, each as some that people mount. */
const fileSystems: readonly LimitedFileSystem[] = [
  { like: "no limit but FUSE's", limits: [] },
  {
    like: "a mount of an object store: EIO to link, uploads, an open file keeps its name",
    limits: ["link=EIO", "rename-open=EBUSY", "uploads", "appends-only", "by-path"],
    lastWins: true,
  },
  {
    like: "one whose numbers of files are those of paths",
    limits: ["link=ENOSYS", "rename-open=EIO", "path-inodes", "no-changed-time"],
    lastWins: true,
  },
  {
    like: "a FAT: EPERM to link, no rights, any case",
    limits: ["link=EPERM", "chmod=EPERM", "utimens=EPERM", "any-case", "fsync=EINVAL"],
    lastWins: true,
  },
  { like: "one that counts no links", limits: ["one-link"], lastWins: true },
  { like: "eCryptfs: names of 143 bytes", limits: ["names=143"] },
  { like: "one that cannot make files durable", limits: ["fsync=EOPNOTSUPP"] },
];

/** Registers a mount for a suite. */
function mountForSuite(limits: readonly string[]): () => string {
  const place = mountBesides(limits);
  return () => place().seen;
}

/** The same; each place is a new directory as the mount shows it, and as what is behind it does. */
function mountBesides(limits: readonly string[]): () => { seen: string; behind: string } {
  const tidy: (() => void)[] = [];
  let mounted = { source: "", target: "" };
  before(async () => {
    mounted = await mountLimited({ after: (step) => tidy.push(step) }, limits);
  });
  after(() => {
    for (const step of tidy) step();
  });
  return () => {
    const seen = mkdtempSync(join(mounted.target, "store-"));
    return { seen, behind: join(mounted.source, basename(seen)) };
  };
}

const skip = runsAll ? cannotRun("fusermount3") : "takes long; npm run test:stores runs it";

describe("the file store on FUSE", { skip }, () => {
  for (const { like, limits, lastWins = false } of fileSystems)
    describe(like, () => {
      const place = mountForSuite(limits);
      testStore(like, async () => {
        const dir = place();
        return { connect: () => openFileStore(join(dir, "store")), lastWins };
      });

      it("takes the longest namespace that there is", async () => {
        const store = await openFileStore(place());
        const namespace = "n".repeat(128);
        assert.equal(await put(store, "x", "create", namespace), "committed");
        assert.deepEqual(
          (await store.list(undefined)).map((name) => name.namespace),
          [namespace],
        );
      });
    });

  describe("one that cannot rename", () => {
    const place = mountForSuite(["rename=ENOSYS", "link=EPERM"]);
    it("loads, and says when a save begins that nothing can be saved", async () => {
      const root = place();
      const store = await openFileStore(root);
      await assert.rejects(put(store, "x"), {
        reason: "STORE_UNAVAILABLE",
        message: /cannot rename files \(ENOSYS\), so that nothing can be saved/,
      });
      assert.deepEqual(readdirSync(join(root, "limits")), []);
      assert.deepEqual(await store.list(undefined), []);
    });
  });

  describe("one that cannot rename over another file", () => {
    const place = mountForSuite(["rename-over=EEXIST", "link=EPERM"]);
    it("saves once, and says what to do before the next save", async () => {
      const store = await openFileStore(place());
      assert.equal(await put(store, "first"), "committed");
      assert.equal(await put(store, "second"), "exists");
      await assert.rejects(put(store, "second", "replace"), {
        reason: "STORE_UNAVAILABLE",
        message: /delete this cache before you save it again/,
      });
      assert.equal(await store.remove(nameIn("limits")), true);
      assert.equal(await put(store, "second", "replace"), "committed");
    });
  });

  describe("one that reads what has the name now", () => {
    const place = mountBesides(["link=EIO", "by-path"]);
    it("gives no bytes of an archive with which another machine replaces its own", async () => {
      const { seen, behind } = place();
      const store = await openFileStore(seen);
      await put(store, "a".repeat(200_000));
      await using reader = await store.open(nameIn("limits"));
      assert.ok(reader);
      assert.equal((await reader.read(0, 10)).toString(), "a".repeat(10));
      await put(await openFileStore(behind), "b".repeat(300_000), "replace");
      await assert.rejects(reader.read(150_000, 40_000), ArchiveReplaced);
    });
  });

  describe("one that cannot create exclusively", () => {
    const place = mountForSuite(["exclusive=EINVAL"]);
    it("says that the store failed, and leaves nothing", async () => {
      const root = place();
      chmodSync(root, 0o755);
      const store = await openFileStore(root);
      await assert.rejects(put(store, "first"), { reason: "STORE_UNAVAILABLE" });
      assert.deepEqual(readdirSync(join(root, "limits")), []);
    });
  });
});

const nameIn = (namespace: string) => ({
  namespace,
  filename: "cache_0123456789ab.latest.tar.zst",
});

async function put(
  store: Store,
  content: string,
  mode: CommitMode = "create",
  namespace = "limits",
): Promise<"committed" | "exists"> {
  const writer = await store.create(nameIn(namespace));
  try {
    await writer.write(Buffer.from(content));
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}
