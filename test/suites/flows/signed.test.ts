// Whose caches are loaded: those that a trusted key signed, and no others; what is refused stays as it is.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { describeStored } from "../../../server/src/flows/stored-archives.ts";
import {
  generateKeys,
  parseSigningKey,
  parseTrustedKeys,
} from "../../../server/src/signing/keys.ts";
import { type Signing, Trust } from "../../../server/src/signing/trust.ts";
import { cacheKey, createFlowBench, type FlowBench, namespace } from "../../support/flow-bench.ts";
import { formatWork } from "../../support/tar/format-work.ts";
import { many, write } from "../../support/trees/refresh-trees.ts";

function keys() {
  const { signingKey, trustedKey } = generateKeys();
  return { key: parseSigningKey(signingKey), trusted: parseTrustedKeys(trustedKey) };
}

const ours = keys();
const theirs = keys();
const untrusted = { reason: "ARCHIVE_UNTRUSTED" };

/** Daemons over one store, each with its keys and a local directory of its own. */
async function daemons<Name extends string>(
  t: TestContext,
  signings: Record<Name, Signing>,
): Promise<Record<Name, FlowBench>> {
  const first = await createFlowBench(t);
  const storeDir = join(first.dir, "store");
  const entries = Object.entries<Signing>(signings).map(
    async ([name, signing]) => [name, await createFlowBench(t, { storeDir, signing })] as const,
  );
  return Object.fromEntries(await Promise.all(entries)) as Record<Name, FlowBench>;
}

/** Empties what a daemon has, so that a load loads. */
function empty({ localDir }: FlowBench): void {
  rmSync(localDir, { recursive: true, force: true });
}

const signs = { key: ours.key };
const trusts = { trusted: ours.trusted };

describe("a signed cache", () => {
  it("is loaded by who trusts its key, by who trusts several, and by who asks for none", async (t) => {
    const all = await daemons(t, {
      signs,
      trusts,
      rotates: { trusted: [...theirs.trusted, ...ours.trusted] },
      both: { ...signs, trusted: theirs.trusted },
      old: {},
    });
    write(all.signs.localDir, many("a", 5));
    assert.equal((await all.signs.save()).status, "SUCCESS");
    for (const name of ["trusts", "rotates", "both", "old"] as const)
      assert.equal((await all[name].load()).status, "SUCCESS", name);
  });

  for (const [what, spoil] of [
    ["nobody signed", {}],
    ["another key signed", { key: theirs.key }],
    ["another key signed in this one's name", { key: { ...theirs.key, id: ours.key.id } }],
  ] as [string, Signing][])
    it(`is neither loaded, nor called stored, nor refreshed, nor moved, where ${what}`, async (t) => {
      const all = await daemons(t, { spoils: spoil, trusts: { ...trusts, key: ours.key } });
      write(all.spoils.localDir, many("a", 5));
      await all.spoils.save();
      const path = all.trusts.archivePath();
      const before = readFileSync(path);
      await assert.rejects(all.trusts.load(), untrusted);
      write(all.trusts.localDir, many("b", 50));
      await assert.rejects(all.trusts.save(), untrusted);
      await assert.rejects(all.trusts.save({ policy: "REFRESH" }), untrusted);
      assert.deepEqual(readFileSync(path), before);
      assert.equal((await all.trusts.save({ policy: "REPLACE" })).status, "SUCCESS");
      empty(all.trusts);
      assert.equal((await all.trusts.load()).status, "SUCCESS");
    });

  it("is refreshed by another signer that is trusted, and keeps a signature", async (t) => {
    const all = await daemons(t, {
      signs,
      another: { key: theirs.key, trusted: ours.trusted },
      trustsAnother: { trusted: theirs.trusted },
      trusts,
      unsigned: {},
    });
    write(all.signs.localDir, many("a", 5));
    await all.signs.save();
    write(all.unsigned.localDir, many("b", 50));
    await assert.rejects(all.unsigned.save({ policy: "REFRESH" }), {
      ...untrusted,
      message: /no key to sign what it adds/,
    });
    write(all.another.localDir, many("b", 50));
    assert.equal((await all.another.save({ policy: "REFRESH" })).status, "SUCCESS");
    assert.equal((await all.trustsAnother.load()).status, "SUCCESS");
    await assert.rejects(all.trusts.load(), untrusted);
  });

  it("that was put back is refused by who has seen a newer one", async (t) => {
    const all = await daemons(t, { signs, trusts });
    write(all.signs.localDir, many("a", 5));
    await all.signs.save();
    const path = all.signs.archivePath();
    cpSync(path, join(all.signs.dir, "first"));
    write(all.signs.localDir, many("b", 50));
    await all.signs.save({ policy: "REPLACE" });
    assert.equal((await all.trusts.load()).status, "SUCCESS");
    const second = readFileSync(path);
    cpSync(join(all.signs.dir, "first"), path);
    empty(all.trusts);
    await assert.rejects(all.trusts.load(), {
      ...untrusted,
      message: /somebody put an old one back/,
    });
    writeFileSync(path, second);
    assert.equal((await all.trusts.load()).status, "SUCCESS");
  });

  it("that is none is not refreshed by who only trusts, and nothing of it is remembered", async (t) => {
    const all = await daemons(t, { signs, trusts, plants: {} });
    write(all.signs.localDir, many("a", 5));
    await all.signs.save();
    const path = all.trusts.archivePath();
    const signed = readFileSync(path);
    // A later one, of a higher generation, which nobody signed.
    write(all.plants.localDir, many("b", 50));
    for (let i = 0; i < 2; i++) await all.plants.save({ policy: "REPLACE" });
    write(all.trusts.localDir, many("b", 50));
    await assert.rejects(all.trusts.save({ policy: "REFRESH" }), untrusted);
    writeFileSync(path, signed);
    empty(all.trusts);
    assert.equal((await all.trusts.load()).status, "SUCCESS");
  });

  it("is not refreshed by who only trusts, where another tool made what is stored", async (t) => {
    const all = await daemons(t, { plants: {}, trusts });
    write(all.plants.localDir, many("a", 5));
    await all.plants.save({ format: "tar.gz" });
    write(all.trusts.localDir, many("b", 50));
    for (const policy of ["SKIP", "REFRESH"] as const)
      await assert.rejects(all.trusts.save({ policy }), { ...untrusted, message: /is not signed/ });
    await assert.rejects(all.trusts.load({ policy: "REPLACE" }), untrusted);
  });

  it("is stored by nobody who would refuse to load it", async (t) => {
    const all = await daemons(t, { trusts, signs });
    write(all.trusts.localDir, many("a", 5));
    for (const policy of ["SKIP", "REFRESH", "REPLACE"] as const)
      await assert.rejects(all.trusts.save({ policy }), {
        ...untrusted,
        message: /has no key to sign what it saves/,
      });
    assert.deepEqual(all.trusts.storeFiles(), []);
    write(all.signs.localDir, many("a", 5));
    assert.equal((await all.signs.save()).status, "SUCCESS");
    assert.equal((await all.trusts.save()).status, "SKIPPED");
  });

  it("names a known signer only where that has signed", async (t) => {
    const forges = { key: { ...theirs.key, id: ours.key.id } };
    const all = await daemons(t, { forges, trusts, stranger: { trusted: theirs.trusted } });
    write(all.forges.localDir, many("a", 5));
    await all.forges.save();
    const signer = async ({ context, store }: FlowBench) => {
      const { signal } = new AbortController();
      const reading = { store, work: formatWork, trust: context.trust };
      return (await describeStored(reading, { namespace, cacheKey }, signal))?.signedBy;
    };
    assert.equal(await signer(all.trusts), undefined);
    assert.equal(await signer(all.stranger), ours.key.id);
  });
});

describe("what a daemon remembers of a cache", () => {
  const at = (hours: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + hours * 3_600_000);
  const age = (generation: number, createdAt: Date) => {
    const text = `${generation}, ${createdAt.toISOString()}`;
    const signature = { keyId: ours.key.id, value: ours.key.sign(text), text };
    return { generation, createdAt, signature };
  };
  for (const [what, first, second, isRefused] of [
    ["the generation before", age(2, at(2)), age(1, at(1)), true],
    // A cache that was removed begins at 1, and so does whoever removes one to save over.
    ["the first of a cache that began anew", age(1, at(2)), age(1, at(1)), true],
    ["a high generation of a cache that began anew", age(1, at(99)), age(5, at(2)), true],
    [
      "the next after the highest that there is",
      age(2 ** 53 - 1, at(2)),
      age(2 ** 53 - 1, at(1)),
      true,
    ],
    ["the same", age(2, at(2)), age(2, at(2)), false],
    ["one that replaced it at the same moment", age(2, at(2)), age(2, at(1.999)), false],
    ["the next by a clock that is hours behind", age(2, at(20)), age(3, at(2)), false],
    ["the first after a removal", age(5, at(2)), age(1, at(3)), false],
    ["the next after one that is dated to come", age(2, at(1e6)), age(3, new Date()), false],
  ] as const)
    it(`${isRefused ? "refuses" : "takes"} ${what}`, () => {
      const trust = new Trust(trusts);
      trust.requireTrusted("a/b", first);
      const judge = () => trust.requireTrusted("a/b", second);
      if (isRefused)
        assert.throws(judge, { ...untrusted, message: /somebody put an old one back/ });
      else judge();
      trust.requireTrusted("a/other", second);
    });
});
