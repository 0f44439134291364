import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { folderOfNamespace, isNamespace, namespaceOfFolder, parseNamespace } from "./namespace.ts";

const vectors: {
  folders: { namespace: string; folder: string }[];
  trimmed: { text: string; namespace: string }[];
  invalid: string[];
  no_folder: string[];
} = JSON.parse(
  readFileSync(new URL("../../../test/vectors/namespaces.json", import.meta.url), "utf8"),
);

describe("a namespace", () => {
  for (const { namespace, folder } of vectors.folders)
    it(`${namespace} has the folder ${folder}`, () => {
      assert.equal(parseNamespace(namespace), namespace);
      assert.equal(folderOfNamespace(namespace), folder);
      assert.equal(namespaceOfFolder(folder), namespace);
    });

  it("shares no folder with another, also where capitals are small letters", () => {
    const folders = vectors.folders.map(({ folder }) => folder.toLowerCase());
    assert.equal(new Set(folders).size, folders.length);
  });

  it("of random characters comes back from its folder, and each has one of its own", () => {
    const alphabet = "aAfF29./@:+-_";
    const seen = new Map<string, string>();
    for (let n = 0; n < 20_000; n++) {
      const length = 1 + (n % 6);
      const text = Array.from({ length }, () => alphabet[Math.floor(Math.random() * 13)]).join("");
      if (!isNamespace(text)) continue;
      const folder = folderOfNamespace(text);
      assert.match(folder, /^[a-z0-9_][a-z0-9._~-]*$/);
      assert.equal(namespaceOfFolder(folder), text);
      assert.equal(seen.get(folder) ?? text, text);
      seen.set(folder, text);
    }
  });

  for (const { text, namespace } of vectors.trimmed)
    it(`${JSON.stringify(text)} is ${namespace}`, () => {
      assert.equal(parseNamespace(text), namespace);
    });

  for (const text of vectors.invalid)
    it(`is not ${JSON.stringify(text)}, which an error names, with what would be right`, () => {
      assert.throws(() => parseNamespace(text), {
        reason: "INVALID_REQUEST",
        message:
          /namespace: ".*" ((is no namespace: 1 to 128 .*|holds a ~.*)Llama-3.1-8B|has a "\/" too many: give ".*")/,
      });
      assert.throws(() => folderOfNamespace(text), { reason: "INVALID_REQUEST" });
    });

  for (const name of vectors.no_folder)
    it(`has no folder ${JSON.stringify(name)}`, () =>
      assert.equal(namespaceOfFolder(name), undefined));

  it("may be as long as its folder may", () => {
    for (const text of ["a".repeat(128), `${"a".repeat(122)}/A.`]) {
      assert.equal(parseNamespace(text), text);
      assert.equal(namespaceOfFolder(folderOfNamespace(text)), text);
    }
    assert.throws(() => parseNamespace("a".repeat(129)), { message: /is no namespace/ });
    assert.throws(() => parseNamespace(`org/${"A".repeat(70)}`), {
      message: /too long .* capital letter counts as two .* which makes 146, of 128 at most/,
    });
  });
});
