import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ArchiveName } from "../../../../../server/src/store/store.ts";
import { openFileStore } from "../../../../support/file-store.ts";
import { carryOut } from "../store-work.ts";
import { cutPower, powerRefreshed, powerRoots } from "./power.ts";

interface Note {
  readonly fileSystem: string;
  readonly name: ArchiveName;
  readonly entry: string;
}

const notes = readFileSync(join(process.env.OUT as string, cutPower), "utf8")
  .split("\n")
  .slice(0, -1)
  .map((line) => JSON.parse(line) as Note);

describe("after the power has failed", () => {
  for (const [fileSystem, root] of Object.entries(powerRoots)) {
    const acknowledged = notes.filter((note) => note.fileSystem === fileSystem);
    const read = (name: ArchiveName) => carryOut({ root, name, task: { kind: "read" } });

    it(`each acknowledged archive is whole, on ${fileSystem}`, async () => {
      assert.ok(acknowledged.length > 3, `only ${acknowledged.length} were acknowledged`);
      for (const { name, entry } of acknowledged)
        assert.deepEqual((await read(name)).entries, [entry], name.filename);
    });

    it(`each acknowledged refresh is kept, on ${fileSystem}`, async () => {
      const { entries } = await read(powerRefreshed);
      const lost = acknowledged.filter(({ entry }) => !entries.includes(entry));
      assert.deepEqual(lost, []);
    });

    it(`nothing else can be seen that is not whole, on ${fileSystem}`, async () => {
      const store = await openFileStore(root);
      for (const name of await store.list(undefined))
        assert.equal((await read(name)).answer, "there");
      const { answer } = await carryOut({
        root,
        name: powerRefreshed,
        task: { kind: "grow", entry: "after" },
      });
      assert.equal(answer, "committed");
    });
  }
});
