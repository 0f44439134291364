// What the README says, from this repository's sources, with a stand-in for torch; `npm run test:install`
// does it with what `npm run package` makes, `npm run test:torch` with a real torch.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { followReadme } from "../../support/readme/follow-readme.ts";
import { writeTorch } from "../../support/readme/stand-in-torch.ts";

const root = resolve(import.meta.dirname, "../../..");

describe("the README", () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "cc-readme-")));
  after(() => rmSync(dir, { recursive: true, force: true }));

  test("can be followed from top to bottom", async () => {
    const nodeProject = `${dir}/project`;
    mkdirSync(nodeProject);
    mkdirSync(`${dir}/reader`);
    writeFileSync(`${nodeProject}/package.json`, '{ "type": "module" }');
    symlinkSync(`${root}/node_modules`, `${nodeProject}/node_modules`);
    await followReadme({
      dir: `${dir}/reader`,
      path: [`${root}/.venv/bin`, `${root}/node_modules/.bin`],
      nodeProject,
      env: {
        PYTHONPATH: writeTorch(dir),
        COMPILE_CACHE_NODE: `${root}/node_modules/.bin/node`,
      },
    });
  });
});
