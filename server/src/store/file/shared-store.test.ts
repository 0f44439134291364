import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { cannotBeNobody } from "../../../../test/support/machine/as-user.ts";
import { inStoreAs, type User } from "../../../../test/support/machine/as-users.ts";

const group = 60_100;
const alice: User = { uid: 60_001, sharedGroup: group, umask: 0o002 };
const bob: User = { uid: 60_002, sharedGroup: group, umask: 0o002 };
const umasked = (user: User, umask: number): User => ({ ...user, umask });

const one = "cache_000000000001.latest.tar.zst";
const two = "cache_000000000002.latest.tar.zst";

/** A store's directory of root's and the shared group's, of that mode. */
function rootOf(t: TestContext, mode: number): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755);
  const root = join(dir, "store");
  mkdirSync(root);
  chownSync(root, 0, group);
  chmodSync(root, mode);
  return root;
}

function modeOf(path: string): string {
  const { mode, gid } = statSync(path);
  return `${(mode & 0o7777).toString(8)} of group ${gid}`;
}

describe("the file store that users share", { skip: cannotBeNobody }, () => {
  it("takes what one user keeps from another for that archive's fault, and not the store's", (t) => {
    const root = rootOf(t, 0o2775);
    const kept: Record<string, string> = {
      closed: ".",
      unsearchable: ".",
      numbers: `.${one}.generations`,
      file: one,
    };
    for (const [namespace, name] of Object.entries(kept)) {
      mkdirSync(join(root, namespace, `.${one}.generations`), { recursive: true });
      writeFileSync(join(root, namespace, one), "archive");
      chmodSync(join(root, namespace, name), namespace === "unsearchable" ? 0o444 : 0o700);
    }
    const opened = inStoreAs(
      bob,
      root,
      `return Promise.all(${JSON.stringify(Object.keys(kept))}.map((namespace) =>
        store.open({ namespace, filename: "${one}" }).then(
          () => "opened",
          (error) => error.constructor.name,
        )))`,
    );
    assert.deepEqual(
      opened,
      Object.keys(kept).map(() => "ArchiveUnreadable"),
    );
  });

  it("is everybody's of the directory's group, with umask 002", (t) => {
    const root = rootOf(t, 0o2775);
    const namespace = join(root, "shared");
    assert.equal(inStoreAs(alice, root, `return put("${one}", "alice's")`), "committed");
    assert.equal(modeOf(namespace), `2775 of group ${group}`);
    assert.equal(modeOf(join(namespace, one)), `664 of group ${group}`);
    const bobs = `return [
      await put("${two}", "bob's"),
      await put("${one}", "replaced", "replace"),
      await put("${one}", "refreshed", { replaces: await versionOf("${one}") }),
      await store.setAside(nameOf("${one}"), await versionOf("${one}")),
    ]`;
    assert.deepEqual(inStoreAs(bob, root, bobs), ["committed", "committed", "committed", true]);
    const alices = `return [
      await put("${one}", "healed"),
      await put("${two}", "refreshed", { replaces: await versionOf("${two}") }),
      await store.remove(nameOf("${two}")),
    ]`;
    assert.deepEqual(inStoreAs(alice, root, alices), ["committed", "committed", true]);
    assert.deepEqual(
      readdirSync(namespace).filter((entry) => !entry.startsWith(".")),
      [one],
    );
  });

  it("gives files no more rights than umask leaves, and no less", (t) => {
    for (const [umask, directory, file] of [
      [0o022, "2755", "644"],
      [0o077, "2700", "600"],
      [0o000, "2777", "666"],
    ] as const) {
      const root = rootOf(t, 0o2775);
      inStoreAs(umasked(alice, umask), root, `return put("${one}", "x")`);
      assert.equal(modeOf(join(root, "shared")), `${directory} of group ${group}`);
      assert.equal(modeOf(join(root, "shared", one)), `${file} of group ${group}`);
    }
  });

  it("says whose a namespace is that a user may not write, and what to do", (t) => {
    const root = rootOf(t, 0o2775);
    inStoreAs(umasked(alice, 0o022), root, `return put("${one}", "alice's")`);
    const namespace = join(root, "shared");
    const text = `STORE_UNAVAILABLE: user 60002 may not write in ${namespace} (of user 60001 and group 60100, mode 2755): run "chmod g+ws ${namespace}" as its owner, and have all users in its group save with umask 002; docs/file-systems.md tells how users share a store`;
    for (const body of [
      `return put("${two}", "bob's")`,
      `return put("${one}", "bob's", "replace")`,
      `return store.remove(nameOf("${one}"))`,
      `return store.setAside(nameOf("${one}"), await versionOf("${one}"))`,
    ])
      assert.equal(inStoreAs(bob, root, body), text, body);
    assert.equal(inStoreAs(bob, root, `return read("${one}")`), "alice's");
    chmodSync(root, 0o755);
    const elsewhere = `return store.create({ namespace: "new", filename: "${one}" })`;
    assert.match(
      String(inStoreAs(bob, root, elsewhere)),
      new RegExp(`^STORE_UNAVAILABLE: user 60002 may not write in ${root} \\(of user 0`),
    );
    assert.deepEqual(readdirSync(root), ["shared"]);
  });

  it("says whose an archive or namespace is that a user may not read", (t) => {
    const root = rootOf(t, 0o2775);
    inStoreAs(umasked(alice, 0o077), root, `return put("${one}", "alice's")`);
    const namespace = join(root, "shared");
    assert.match(
      String(inStoreAs(bob, root, `return read("${one}")`)),
      /^STORE_UNAVAILABLE: user 60002 may not read .*\/shared \(of user 60001 and group 60100, mode 2700\): run "chmod g\+rx /,
    );
    chmodSync(namespace, 0o2775);
    assert.match(
      String(inStoreAs(bob, root, `return read("${one}")`)),
      /^STORE_UNAVAILABLE: user 60002 may not read .*\.zst \(of user 60001 and group 60100, mode 0600\): run "chmod g\+r /,
    );
    assert.equal(inStoreAs(bob, root, `return put("${two}", "bob's")`), "committed");
  });

  it("lists the namespaces that a user may read, and logs the others", (t) => {
    const root = rootOf(t, 0o2777);
    inStoreAs(alice, root, `return put("${one}", "alice's")`);
    mkdirSync(join(root, "private"), { mode: 0o700 });
    mkdirSync(join(root, "lost+found"), { mode: 0o700 });
    assert.deepEqual(inStoreAs(bob, root, "return [await store.list(), logged]"), [
      [{ namespace: "shared", filename: one }],
      [
        `passed over a namespace that this user may not read user 60002 may not read ${root}/private (of user 0 and group ${group}, mode 2700): run "chmod g+rx ${root}/private" as its owner, and have all users in its group save with umask 002; docs/file-systems.md tells how users share a store`,
      ],
    ]);
  });

  it("serves a user who may write in a namespace, and not read the root", (t) => {
    const root = rootOf(t, 0o2777);
    inStoreAs(alice, root, `return put("${one}", "alice's")`);
    chmodSync(root, 0o711);
    assert.equal(inStoreAs(bob, root, `return put("${two}", "bob's")`), "committed");
    assert.equal(inStoreAs(bob, root, `return read("${one}")`), "alice's");
  });

  it("refreshes what another's killed daemon had not yet given its name", (t) => {
    const root = rootOf(t, 0o2777);
    const refresh = `return put("${one}", "refreshed", { replaces: await versionOf("${one}") })`;
    inStoreAs(umasked(alice, 0o022), root, `return put("${one}", "alice's")`);
    inStoreAs(umasked(alice, 0o022), root, refresh);
    const namespace = join(root, "shared");
    rmSync(join(namespace, one));
    for (const directory of [namespace, join(namespace, `.${one}.generations`)])
      chmodSync(directory, 0o2777);
    assert.equal(inStoreAs(bob, root, refresh), "committed");
    assert.equal(inStoreAs(bob, root, `return read("${one}")`), "refreshed");
  });

  it("refreshes another's archive in a sticky directory, and says why it cannot replace it", (t) => {
    const root = rootOf(t, 0o2775);
    inStoreAs(alice, root, `return put("${one}", "alice's")`);
    const namespace = join(root, "shared");
    chmodSync(namespace, 0o3775);
    const refused = new RegExp(
      `^STORE_UNAVAILABLE: user 60002 may not replace or remove a file of user 60001 in ${namespace} \\(.*mode 3775\\): run "chmod -t" on that directory`,
    );
    for (const body of [
      `return put("${one}", "bob's", "replace")`,
      `return store.remove(nameOf("${one}"))`,
      `return store.setAside(nameOf("${one}"), await versionOf("${one}"))`,
    ])
      assert.match(String(inStoreAs(bob, root, body)), refused, body);
    const refresh = `return put("${one}", "bob's", { replaces: await versionOf("${one}") })`;
    assert.equal(inStoreAs(bob, root, refresh), "committed");
    const replace = `return [await put("${one}", "replaced", "replace"), await read("${one}")]`;
    assert.deepEqual(inStoreAs(bob, root, replace), ["committed", "replaced"]);
    assert.equal(inStoreAs(alice, root, `return read("${one}")`), "replaced");
    assert.equal(inStoreAs(alice, root, refresh.replace("bob's", "last")), "committed");
    assert.equal(inStoreAs(bob, root, `return read("${one}")`), "last");
    assert.deepEqual(
      readdirSync(namespace).filter((entry) => entry.endsWith(".partial")),
      [],
    );
  });
});
