// A daemon of root works in a user's directory with that user's rights, and in its own with care.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { call, connect, failureOf, tempDir } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { eventually } from "../../support/eventually.ts";
import { cannotBeNobody, nobody } from "../../support/machine/as-user.ts";

const skip = cannotBeNobody;
const [MERGE, REPLACE] = [2, 3] as const;

/** A daemon of root, and a directory of somebody else among those that are allowed. */
async function daemonWithUser(t: TestContext, settings: Record<string, string> = {}) {
  const daemon = await startTestDaemon(t, settings);
  const theirs = join(daemon.dir, "other/theirs");
  mkdirSync(theirs, { recursive: true });
  give(theirs);
  return { ...daemon, theirs };
}

/** Makes all below a path, and it, somebody else's. */
function give(path: string): void {
  execFileSync("chown", ["-R", `${nobody}:${nobody}`, path]);
}

/** Owner and group of all below a directory, and of it. */
function ownersIn(path: string): Set<string> {
  const all = [
    path,
    ...readdirSync(path, { recursive: true }).map((name) => join(path, String(name))),
  ];
  return new Set(
    all.map((each) => {
      const { uid, gid } = lstatSync(each);
      return `${uid}:${gid}`;
    }),
  );
}

const ofNobody = new Set([`${nobody}:${nobody}`]);

describe("a daemon of root, in a directory of another user", { skip }, () => {
  test("does all that it does in its own", async (t) => {
    const { client, localDir, theirs, dir } = await daemonWithUser(t);
    writeFiles(localDir, 20);
    await call(client, "save", { environment, localDir });
    for (const archive of ["zst", "gz"]) {
      if (archive === "gz") repackWithTar(join(dir, "store/default"), localDir);
      const loaded = await call(client, "load", { environment, localDir: theirs });
      assert.equal(loaded.status, 2, `${archive}: a success`);
      assert.deepEqual(ownersIn(theirs), ofNobody);
      assert.equal(readdirSync(theirs).length, 20);
      const { localFileCount } = await call(client, "getCacheInfo", {
        environment,
        localDir: theirs,
      });
      assert.equal(Number(localFileCount), 20);
      const cleared = await call(client, "clearLocalCache", { localDir: theirs });
      assert.equal(Number(cleared.fileCount), 20);
      assert.deepEqual(readdirSync(theirs), []);
    }
    writeFiles(theirs, 30);
    give(theirs);
    const saved = await call(client, "save", { environment, localDir: theirs, ifStoredExists: 3 });
    assert.equal(Number(saved.cache?.fileCount), 30);
    writeFiles(theirs, 40);
    give(theirs);
    const refreshed = await call(client, "save", {
      environment,
      localDir: theirs,
      ifStoredExists: 2,
    });
    assert.equal(Number(refreshed.cache?.fileCount), 40);
    const { transfer } = await call(client, "startTransfer", {
      source: theirs,
      destination: join(theirs, "../copy"),
    });
    const states = await client
      .watchTransfer({ operationId: transfer?.operationId ?? "" })
      .toArray();
    assert.equal(states.at(-1).transfer.status, 3, "the copy is a success");
    assert.equal(readdirSync(join(theirs, "../copy")).length, 40);
  });

  test("makes what is missing as that user", async (t) => {
    const { client, localDir, theirs } = await daemonWithUser(t);
    writeFiles(localDir, 3);
    await call(client, "save", { environment, localDir });
    await call(client, "load", { environment, localDir: join(theirs, "a/b/c") });
    assert.deepEqual(ownersIn(theirs), ofNobody);
    assert.equal(readdirSync(join(theirs, "a/b/c")).length, 3);
    assert.deepEqual(readdirSync(join(theirs, "a/b")), ["c"], "no stage stayed");
  });

  test("may not do there what that user may not", async (t) => {
    const { client, localDir, theirs } = await daemonWithUser(t);
    writeFiles(join(localDir, "triton"), 3);
    await call(client, "save", { environment, localDir });
    mkdirSync(join(theirs, "triton"));
    writeFileSync(join(theirs, "triton/mine"), "of root");
    for (const ifLocalExists of [MERGE, REPLACE]) {
      const load = call(client, "load", { environment, localDir: theirs, ifLocalExists });
      const { info, message } = await failureOf(load);
      assert.deepEqual(info?.reason, "PATH_NOT_ALLOWED", message);
    }
    assert.deepEqual(readdirSync(join(theirs, "triton")), ["mine"]);
    const other = join(theirs, "other");
    mkdirSync(other);
    give(other);
    writeFiles(other, 2);
    chmodSync(join(other, "kernel-0.bin"), 0o600);
    const { cache } = await call(client, "save", {
      environment: { ...environment, torchVersion: "9" },
      localDir: other,
    });
    assert.equal(Number(cache?.fileCount), 1, "root's private file did not travel");
  });

  test("leaves no process and no descriptor behind, and survives its processes", async (t) => {
    const { client, localDir, theirs } = await daemonWithUser(t);
    writeFiles(localDir, 3);
    await call(client, "save", { environment, localDir });
    await call(client, "load", { environment, localDir: theirs });
    await eventually("the end of the user's processes", () => childrenOf(nobody).length === 0);
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 3; i++) {
      await call(client, "clearLocalCache", { localDir: theirs });
      await call(client, "load", { environment, localDir: theirs });
    }
    await eventually("descriptors closed", () => readdirSync("/proc/self/fd").length <= before);

    // A save waits for the young file, so there is time to kill its process.
    writeFileSync(join(theirs, "young"), "x");
    give(theirs);
    const save = call(client, "save", { environment, localDir: theirs, ifStoredExists: 3 });
    const failed = failureOf(save);
    await eventually("a process of the user", () => childrenOf(nobody).length > 0);
    execFileSync("kill", ["-9", ...childrenOf(nobody)]);
    const { info, message } = await failed;
    assert.equal(info?.reason, "LOCAL_UNAVAILABLE", message);
    assert.match(message, /user 60000 was ended by something else \(SIGKILL\)/);
    await call(client, "clearLocalCache", { localDir: theirs });
    assert.deepEqual(readdirSync(theirs), []);
  });

  test("shows nothing of the daemon to that user", async (t) => {
    const { client, localDir, theirs } = await daemonWithUser(t);
    writeFiles(localDir, 1);
    writeFileSync(join(theirs, "young"), "x");
    give(theirs);
    const save = call(client, "save", { environment, localDir: theirs });
    await eventually("a process of the user", () => childrenOf(nobody).length > 0);
    const [pid] = childrenOf(nobody);
    const look = (path: string) =>
      execFileSync(process.execPath, ["-e", `require("fs").readFileSync("/proc/${pid}/${path}")`], {
        uid: nobody,
        gid: nobody,
        cwd: "/",
        stdio: "pipe",
      });
    assert.throws(() => look("environ"), /EACCES/);
    assert.throws(() => look("mem"), /EACCES/);
    const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    assert.deepEqual(
      variables.filter(
        (each) => !/^(LD_LIBRARY_PATH|MALLOC_ARENA_MAX|NODE_CHANNEL_\w+)=/.test(each),
      ),
      [],
    );
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(status, /^CapPrm:\s0+$/m);
    assert.match(status, /^CapEff:\s0+$/m);
    assert.match(status, new RegExp(`^Gid:\\s${nobody}\\s${nobody}\\s${nobody}`, "m"));
    assert.match(status, /^Groups:\s*$/m);
    await save;
  });
});

describe("a daemon of root, in a directory of root", { skip }, () => {
  test("saves no file of another user, and none with a second name", async (t) => {
    const { client, localDir, dir, lines } = await startTestDaemon(t);
    writeFiles(localDir, 4);
    const at = (name: string) => join(localDir, name);
    chownSync(at("kernel-0.bin"), nobody, nobody);
    linkSync(at("kernel-1.bin"), join(dir, "second-name"));
    const { cache } = await call(client, "save", { environment, localDir });
    assert.equal(Number(cache?.fileCount), 2);
    const { fields } = lines.find(({ message }) => message.startsWith("left files out")) as {
      fields: Record<string, { examples: string[] }>;
    };
    assert.deepEqual(fields.link?.examples, ["kernel-1.bin"]);
    assert.deepEqual(fields.unreadable?.examples, ["kernel-0.bin"]);
  });

  test("copies no such file either", async (t) => {
    const { client, localDir, dir } = await startTestDaemon(t);
    const destination = join(dir, "work/copy");
    for (const plant of [
      () => chownSync(join(localDir, "kernel-0.bin"), nobody, nobody),
      () => linkSync(join(localDir, "kernel-1.bin"), join(dir, "second-name")),
    ]) {
      rmSync(localDir, { recursive: true, force: true });
      writeFiles(localDir, 2);
      plant();
      const { transfer } = await call(client, "startTransfer", { source: localDir, destination });
      const { operationId = "" } = transfer ?? {};
      await eventually("the copy's end", async () => {
        const { transfer } = await call(client, "getTransfer", { operationId });
        return transfer?.completedAt !== undefined;
      });
      const { transfer: ended } = await call(client, "getTransfer", { operationId });
      assert.match(ended?.error?.message ?? "", /copies only files of the user to whom/);
      assert.ok(!existsSync(destination));
    }
  });
});

/** Why tests with a user namespace must be skipped here, or false. */
const cannotUnshare = (() => {
  if (cannotBeNobody) return cannotBeNobody;
  const { status } = spawnSync("unshare", ["-r", "true"]);
  return status === 0 ? false : "no user namespaces here";
})();

describe("a daemon of root in a container that has no other users", { skip: cannotUnshare }, () => {
  test("works with its own rights, which are nobody's there", async (t) => {
    const { client, theirs } = await daemonWithin(t, ["unshare", "-r"]);
    chmodSync(theirs, 0o777);
    await call(client, "load", { environment, localDir: theirs });
    assert.equal(readdirSync(theirs).length, 3);
  });
});

describe("a daemon of root that may not become other users", { skip: cannotBeNobody }, () => {
  test("says which capabilities it lacks, and serves its own directory", async (t) => {
    const lacking = ["--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"];
    const { client, theirs } = await daemonWithin(t, ["setpriv", ...lacking]);
    const { info, message } = await failureOf(
      call(client, "load", { environment, localDir: theirs }),
    );
    assert.equal(info?.reason, "LOCAL_UNAVAILABLE", message);
    assert.match(message, /is root, but may not become user 60000.*CAP_SETUID and CAP_SETGID/);
    assert.deepEqual(readdirSync(theirs), []);
  });
});

/** A daemon of root, started by another command, that has saved a cache; and a directory of somebody else. */
async function daemonWithin(t: TestContext, wrapper: string[]) {
  const dir = await tempDir(t);
  chmodSync(dir, 0o755);
  const theirs = join(dir, "theirs");
  mkdirSync(theirs);
  give(theirs);
  writeFiles(join(dir, "local"), 3);
  const daemon = startDaemonProcess({
    wrapper,
    flags: ["--listen", `unix:${dir}/daemon.sock`],
    environment: {
      COMPILE_CACHE_STORE: `file://${dir}/store`,
      COMPILE_CACHE_ALLOWED_DIRS: dir,
      TORCH_CACHE_DIR: join(dir, "local"),
    },
  });
  t.after(() => daemon.end("SIGKILL"));
  await daemon.line("listening");
  const client = connect(t, `unix:${dir}/daemon.sock`);
  await call(client, "save", { environment, localDir: join(dir, "local") });
  return { client, theirs };
}

/** Replaces the archive of a store by one that another tool made. */
function repackWithTar(namespace: string, from: string): void {
  const [name] = readdirSync(namespace).filter((each) => each.endsWith(".tar.zst"));
  rmSync(join(namespace, String(name)));
  const gz = String(name).replace(".zst", ".gz");
  execFileSync("tar", ["-czf", join(namespace, gz), "-C", from, "."]);
}

/** Processes of a user that this process started. */
function childrenOf(uid: number): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return (
        new RegExp(`^PPid:\\s${process.pid}$`, "m").test(status) &&
        new RegExp(`^Uid:\\s${uid}\\s`, "m").test(status)
      );
    } catch {
      return false;
    }
  });
}
