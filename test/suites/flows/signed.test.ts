// Whose caches are loaded: those that a trusted key signed, and no others; what is refused stays as it is.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  generateKeys,
  parseSigningKey,
  parseTrustedKeys,
} from "../../../server/src/signing/keys.ts";
import type { Signing } from "../../../server/src/signing/trust.ts";
import { createFlowBench, type FlowBench } from "../../support/flow-bench.ts";
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
});
