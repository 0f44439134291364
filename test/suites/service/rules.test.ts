import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { CacheServiceClient } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import type { Transfer } from "compilecache-client/gen/compilecache/v1/transfer.ts";
import { readConfig } from "../../../server/src/config/config.ts";
import { startDaemon } from "../../../server/src/daemon.ts";
import { socketTo, targetOf } from "../../support/attack/peer.ts";
import { call, connect, failureOf, tempDir } from "../../support/client/service-client.ts";
import { writeFiles } from "../../support/daemon/daemon-in-process.ts";
import { eventually } from "../../support/eventually.ts";
import { type LogLine, recordingLogger } from "../../support/recording-logger.ts";

const certificates = join(import.meta.dirname, "../../vectors/tls");
const pem = (name: string) => readFileSync(join(certificates, name));
const environment = {
  torchVersion: "2.1.0",
  cudaVersion: "",
  computeCapability: "",
  tritonVersion: "",
  extra: {},
};
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** A daemon whose configuration file is this YAML, in which DIR stands for a directory of its own. */
async function startWith(t: TestContext, yaml: string, more: Record<string, string> = {}) {
  const dir = await tempDir(t);
  for (const name of ["alice", "bob", "app"]) mkdirSync(join(dir, name));
  for (const name of ["crt", "key"])
    copyFileSync(`${certificates}/server.${name}`, `${dir}/own.${name}`);
  const file = join(dir, "config.yaml");
  const write = (text: string) => writeFileSync(file, text.replaceAll("DIR", dir));
  write(yaml);
  const flags = {
    store: `file://${dir}/store`,
    torchCacheDir: `${dir}/alice`,
    configFile: file,
    shutdownGraceMs: "0",
    workers: "1",
    saveNice: "0",
    ...more,
  };
  const read = () => readConfig(flags, {});
  const lines: LogLine[] = [];
  const daemon = await startDaemon(read(), recordingLogger(lines));
  t.after(() => daemon.stop());
  const reload = (text: string) => {
    write(text);
    daemon.reload(read());
  };
  return { dir, daemon, lines, reload };
}

const shows = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });
const reasonOf = async (work: Promise<unknown>) => (await failureOf(work)).info?.reason;

const tokens = `
tokens:
  - {name: alice, sha256: ${sha256("a-secret")}}
  - {name: bob, sha256: ${sha256("b-secret")}}
`;

describe("rules of a listener", () => {
  const socket = (rules: string) => `
listeners:
  - address: unix:DIR/daemon.sock
    mode: "0600"
    rules: [${rules}]
${tokens}`;

  it("hold for their tokens, in their directories and namespaces", async (t) => {
    const { dir, daemon } = await startWith(
      t,
      socket(`
        {to: {token: alice}, may: [save, load, list, clear], directories: [DIR/alice], namespaces: ["a-*"]},
        {to: {token: alice}, may: [list], directories: [DIR/bob], namespaces: [shared]},
        {to: {token: bob}, may: [load, list], directories: [DIR/bob]}`),
    );
    const client = connect(t, daemon.addresses[0] as string);
    assert.equal(lstatSync(`${dir}/daemon.sock`).mode & 0o777, 0o600);
    writeFiles(`${dir}/alice`, 2);
    const of = (namespace: string, who: string) => ({
      namespace,
      environment,
      localDir: `${dir}/${who}`,
    });
    const [alice, bob] = [shows("a-secret"), shows("b-secret")];
    assert.equal((await call(client, "save", of("a-model", "alice"), alice)).status, 2);
    for (const [what, work, reason] of [
      ["another namespace", () => call(client, "save", of("b", "alice"), alice), "FORBIDDEN"],
      [
        "another directory",
        () => call(client, "save", of("a-x", "bob"), alice),
        "PATH_NOT_ALLOWED",
      ],
      [
        "two rules are not one",
        () => call(client, "save", of("shared", "bob"), alice),
        "FORBIDDEN",
      ],
      ["another right", () => call(client, "save", of("a-x", "bob"), bob), "FORBIDDEN"],
      [
        "what was saved",
        () => call(client, "deleteCache", { namespace: "a-model" }, alice),
        "FORBIDDEN",
      ],
      ["nobody", () => call(client, "listCaches"), "UNAUTHENTICATED"],
      ["a copy", () => call(client, "startTransfer", { source: dir }, alice), "FORBIDDEN"],
    ] as const)
      assert.equal(await reasonOf(work()), reason, what);
    const { message } = await failureOf(call(client, "save", of("a-x", "bob"), alice));
    assert.match(
      message,
      /outside the allowed directories \(the rules of the configuration file\)/,
    );
    assert.equal((await call(client, "load", of("a-model", "bob"), bob)).status, 2);
    const listed = async (token: typeof alice) => ({
      caches: (await call(client, "listCaches", {}, token)).caches.length,
      transfers: (await call(client, "listTransfers", { includeFinished: true }, token)).transfers
        .length,
    });
    assert.deepEqual(await listed(bob), { caches: 1, transfers: 2 });
    const store = await call(client, "listCaches", { namespace: "shared" }, alice);
    assert.deepEqual(store.caches, []);
    assert.deepEqual(await listed(alice), { caches: 1, transfers: 2 });
  });

  it("show nobody the caches and transfers of namespaces that are not theirs", async (t) => {
    const { dir, daemon } = await startWith(
      t,
      socket(`
        {to: {token: alice}, may: [save, list], directories: [DIR/alice]},
        {to: {token: bob}, may: [list], namespaces: [b]}`),
    );
    const client = connect(t, daemon.addresses[0] as string);
    writeFiles(`${dir}/alice`, 1);
    for (const namespace of ["a", "b"]) {
      const target = { namespace, environment, localDir: `${dir}/alice` };
      assert.equal((await call(client, "save", target, shows("a-secret"))).status, 2);
    }
    const bob = shows("b-secret");
    const { caches } = await call(client, "listCaches", {}, bob);
    assert.deepEqual(
      caches.map(({ namespace }) => namespace),
      ["b"],
    );
    const { transfers } = await call(client, "listTransfers", { includeFinished: true }, bob);
    assert.deepEqual(
      transfers.map(({ namespace }) => namespace),
      ["b"],
    );
    const others = () => call(client, "listCaches", { namespace: "a" }, bob);
    assert.equal(await reasonOf(others()), "FORBIDDEN");
    await assert.rejects(
      others,
      /bob lacks the right to list in the namespace a: .*COMPILE_CACHE_CONFIG_FILE/,
    );
  });

  it("tell where else a missed cache lies only to who may list all namespaces", async (t) => {
    const { dir, daemon } = await startWith(
      t,
      socket(`
        {to: {token: alice}, may: [save, load, list], directories: [DIR/alice]},
        {to: {token: bob}, may: [load, list], directories: [DIR/bob], namespaces: [b]}`),
    );
    const client = connect(t, daemon.addresses[0] as string);
    writeFiles(`${dir}/alice`, 1);
    const [alice, bob] = [shows("a-secret"), shows("b-secret")];
    const of = (namespace: string, where: string) => ({ namespace, environment, localDir: where });
    await call(client, "save", of("a", `${dir}/alice`), alice);
    const othersOf = ({ transfer }: { transfer?: Transfer | undefined }) => {
      const outcome = transfer?.outcome;
      return outcome?.$case === "load" ? outcome.value.otherNamespaces : undefined;
    };
    const missed = await call(client, "load", of("b", `${dir}/alice/none`), alice);
    assert.deepEqual(othersOf(missed), ["a"]);
    assert.deepEqual(othersOf(await call(client, "load", of("b", `${dir}/bob/none`), bob)), []);
    const operationId = missed.transfer?.operationId as string;
    for (const [token, others] of [
      [alice, ["a"]],
      [bob, []],
    ] as const) {
      assert.deepEqual(othersOf(await call(client, "getTransfer", { operationId }, token)), others);
      const listed = await call(client, "listTransfers", { includeFinished: true }, token);
      const transfer = listed.transfers.find((one) => one.operationId === operationId);
      assert.deepEqual(othersOf({ transfer }), others);
    }
  });

  it("let nobody cancel what is of a namespace that is not theirs", async (t) => {
    const { dir, daemon } = await startWith(
      t,
      socket(`
        {to: {token: alice}, may: [save, load, list], directories: [DIR/alice]},
        {to: {token: bob}, may: [list]},
        {to: {token: bob}, may: [cancel], namespaces: [b]}`),
    );
    const client = connect(t, daemon.addresses[0] as string);
    writeFiles(`${dir}/alice`, 1);
    const bob = shows("b-secret");
    for (const [namespace, reason] of [
      ["a", "FORBIDDEN"],
      ["b", undefined],
    ] as const) {
      const target = { namespace, environment, localDir: `${dir}/alice` };
      await call(client, "save", target, shows("a-secret"));
      const { transfers } = await call(client, "listTransfers", { includeFinished: true }, bob);
      const operationId = transfers.find(
        (transfer) => transfer.namespace === namespace,
      )?.operationId;
      const cancelled = call(client, "cancelTransfer", { operationId: operationId as string }, bob);
      const answered = cancelled.then(() => "cancelled");
      assert.equal(await (reason ? reasonOf(answered) : answered), reason ?? "cancelled");
    }
  });

  it("let nobody copy the store whose rule is about some namespaces", async (t) => {
    const { dir, daemon } = await startWith(
      t,
      socket(`
        {to: {token: alice}, may: [save], directories: [DIR/alice]},
        {to: {token: bob}, may: [copy], directories: [DIR], namespaces: [b]}`),
    );
    const client = connect(t, daemon.addresses[0] as string);
    writeFiles(`${dir}/alice`, 1);
    await call(client, "save", { environment, localDir: `${dir}/alice` }, shows("a-secret"));
    const copyTo = (source: string, destination: string) =>
      reasonOf(call(client, "startTransfer", { source, destination }, shows("b-secret")));
    for (const source of [`${dir}/store/default`, `${dir}/store`, `${dir}/alice/../store/default`])
      assert.equal(await copyTo(source, `${dir}/app/copy`), "PATH_NOT_ALLOWED", source);
    assert.equal(await copyTo(`${dir}/alice`, `${dir}/store/b`), "PATH_NOT_ALLOWED");
  });

  it("are read again, and stay as they were where that is not possible", async (t) => {
    const rule = (may: string) => socket(`{to: anyone, may: [${may}]}`);
    const { daemon, reload } = await startWith(t, rule("list"));
    const client = connect(t, daemon.addresses[0] as string);
    const remove = () => reasonOf(call(client, "deleteCache", { cacheKey: "0123456789ab" }));
    assert.equal(await remove(), "FORBIDDEN");
    reload(rule("delete"));
    assert.equal(await remove(), "CACHE_NOT_FOUND");
    assert.throws(() => reload(rule("fly")), /may\[1\]/);
    assert.throws(() => reload(rule("list").replace("daemon.sock", "other.sock")), /restart/);
    assert.equal(await remove(), "CACHE_NOT_FOUND");
  });
});

describe("a listener with TLS", () => {
  const listener = (rules: string, more = "") => `
listeners:
  - address: 127.0.0.1:0
    tls: {certificate: ${certificates}/server.crt, key: ${certificates}/server.key${more}}
    rules: [${rules}]
${tokens}`;
  const clientWith = (t: TestContext, address: string, ...own: (Buffer | null)[]) => {
    const proof = credentials.createSsl(pem("server.crt"), ...own);
    const options = { "grpc.ssl_target_name_override": "localhost" };
    const client = new CacheServiceClient(address, proof, options);
    t.after(() => client.close());
    return client;
  };
  const mutual = `, client_ca: ${certificates}/callers-ca.crt`;

  it("takes tokens", async (t) => {
    const { daemon } = await startWith(t, listener("{to: {token: alice}, may: [list]}"));
    const client = clientWith(t, daemon.addresses[0] as string);
    assert.deepEqual((await call(client, "listCaches", {}, shows("a-secret"))).caches, []);
    assert.equal(await reasonOf(call(client, "listCaches")), "UNAUTHENTICATED");
    const plain = connect(t, daemon.addresses[0] as string);
    assert.equal((await failureOf(call(plain, "listCaches"))).code, 14);
  });

  it("knows callers by their certificates, and connects nobody without", async (t) => {
    const rules = "{to: {certificate: trainer.example}, may: [list]}";
    const { daemon } = await startWith(t, listener(rules, mutual));
    const address = daemon.addresses[0] as string;
    const withOwn = (name: string) =>
      clientWith(t, address, pem(`${name}.key`), pem(`${name}.crt`));
    assert.deepEqual((await call(withOwn("trainer"), "listCaches")).caches, []);
    assert.equal(await reasonOf(call(withOwn("guest"), "listCaches")), "UNAUTHENTICATED");
    // It signs itself: nobody whom the daemon trusts has signed it.
    assert.equal((await failureOf(call(withOwn("server"), "listCaches"))).code, 14);
    assert.equal((await failureOf(call(clientWith(t, address), "listCaches"))).code, 14);
  });

  it("says in the log from where somebody called, and whose certificate it refused", async (t) => {
    const rules = "{to: {certificate: trainer.example}, may: [list]}";
    const { daemon, lines } = await startWith(t, listener(rules, mutual));
    const address = daemon.addresses[0] as string;
    const remove = (name: string) =>
      failureOf(
        call(clientWith(t, address, pem(`${name}.key`), pem(`${name}.crt`)), "deleteCache"),
      );
    await remove("trainer");
    await remove("server");
    await failureOf(call(clientWith(t, address), "deleteCache"));
    const saysOf = (audit: string, who: string, outcome: string, why: RegExp) =>
      eventually(String(why), () =>
        lines.some(
          ({ message, fields }) =>
            message === "a call was refused" &&
            fields.audit === audit &&
            fields.who === who &&
            fields.peer === "127.0.0.1" &&
            fields.outcome === outcome &&
            why.test(String(fields.explanation)),
        ),
      );
    await saysOf("DeleteCache", "the certificate trainer.example", "FORBIDDEN", /lacks the right/);
    await saysOf("Connect", "nobody known", "UNAUTHENTICATED", /certificate is refused: [A-Z_]+$/);
    await saysOf("Connect", "nobody known", "UNAUTHENTICATED", /it shows none$/);
  });

  const ownPair = (right: string) =>
    listener(`{to: anyone, may: [${right}]}`).replaceAll(`${certificates}/server`, "DIR/own");

  it("stays wholly as it was where one of its files is no good", async (t) => {
    const { dir, daemon, reload } = await startWith(t, ownPair("list"));
    const client = clientWith(t, daemon.addresses[0] as string);
    copyFileSync(`${certificates}/trainer.key`, `${dir}/own.key`);
    assert.throws(() => reload(ownPair("delete")), /own\.crt, \S+own\.key: .*mismatch/);
    assert.deepEqual((await call(client, "listCaches")).caches, []);
    assert.deepEqual(
      (await call(clientWith(t, daemon.addresses[0] as string), "listCaches")).caches,
      [],
    );
  });

  it("counts connections that prove nothing, which give way to those that call", async (t) => {
    const { daemon } = await startWith(t, listener("{to: anyone, may: [list]}"), {
      maxConnections: "4",
    });
    const address = daemon.addresses[0] as string;
    const caller = clientWith(t, address);
    await call(caller, "listCaches");
    const silent = Array.from({ length: 12 }, () => socketTo(targetOf(address)).resume());
    t.after(() => {
      for (const socket of silent) socket.destroy();
    });
    await eventually(
      "three silent ones are left",
      () => silent.filter(({ closed }) => !closed).length <= 3,
    );
    assert.deepEqual((await call(clientWith(t, address), "listCaches")).caches, []);
    // The first caller's connection is still the one that it had.
    assert.deepEqual((await call(caller, "listCaches")).caches, []);
    assert.equal(silent.filter(({ closed }) => !closed).length, 2);
  });
});
