import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { licensesNotAllowed } from "./allowed-licenses.ts";
import { licensesOf, sbomOfPackage } from "./sbom.ts";

/** The answer about a package that is under Apache-2.0 and requires one under `license`. */
function answerAbout(license: string): string[] {
  const purl = "pkg:npm/ours@1.0.0";
  const ours = { type: "library", name: "ours", licenses: licensesOf("Apache-2.0"), purl };
  const theirs = { registry: "npm", name: "theirs", versions: "1.0.0", license } as const;
  return licensesNotAllowed(sbomOfPackage(ours, [theirs]));
}

describe("licensesNotAllowed", () => {
  for (const license of ["MIT", "(Apache-2.0 AND BSD-3-Clause)", "ISC OR MIT"])
    it(`takes ${license}`, () => assert.deepEqual(answerAbout(license), []));

  for (const license of ["GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "BUSL-1.1", "UNLICENSED"])
    it(`names a package under ${license}`, () =>
      assert.deepEqual(answerAbout(license), [`theirs: ${license}`]));

  it("names a package without a licence", () => {
    assert.deepEqual(answerAbout(""), ["theirs: no licence"]);
  });
});
