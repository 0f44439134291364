import assert from "node:assert/strict";
import { mkdirSync, readdirSync, type Stats, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { archiveName, freshStore, put } from "../../../../../test/support/file-store.ts";
import { assertNothingOpen } from "../../../../../test/support/refusal.ts";
import { injectFault } from "../../contract/faults.ts";

describe("what a killed writer left", () => {
  const partial = (n: number) => `.${archiveName.filename}.00000000000${n}.partial`;
  const leave = (folder: string, ...entries: string[]) => {
    mkdirSync(folder, { recursive: true });
    for (const entry of entries) writeFileSync(join(folder, entry), "half");
  };

  /** Makes files look as if they were changed hours ago: no call sets a time of change. */
  function setAges(t: TestContext, hours: Record<string, number>): void {
    injectFault(t, "lstat", async (real, [path]) => {
      const stat = (await real()) as Stats;
      if (!(basename(String(path)) in hours)) return stat;
      for (const time of ["ctimeMs", "mtimeMs"] as const)
        stat[time] -= (hours[basename(String(path))] ?? 0) * 3_600_000;
      return stat;
    });
  }

  it("is swept by the next one after an hour, and nothing else is", async (t) => {
    const { store, folder } = await freshStore(t);
    const kept = [
      archiveName.filename.replace("0123", "aaaa"),
      ".hidden.partial",
      ".hidden.damaged",
      `${archiveName.filename}.000000000000.partial`,
      "notes.txt",
    ];
    leave(folder, ...kept, partial(1), partial(2));
    const ages = Object.fromEntries(kept.map((entry) => [entry, 1000]));
    setAges(t, { ...ages, [partial(1)]: 1.1, [partial(2)]: 0.9 });
    await put(store, "whole");
    const expected = [...kept, archiveName.filename, partial(2)].sort();
    assert.deepEqual(readdirSync(folder).sort(), expected);
  });

  it("is swept after a week if it is a damaged archive that was set aside", async (t) => {
    const { store, folder } = await freshStore(t);
    const damaged = (n: number) => partial(n).replace("partial", "damaged");
    leave(folder, damaged(1), damaged(2));
    setAges(t, { [damaged(1)]: 7 * 24 + 0.1, [damaged(2)]: 7 * 24 - 0.1 });
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [damaged(2), archiveName.filename].sort());
  });

  it("stays while either of its times is young, or in the future", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1), partial(2), partial(3));
    setAges(t, { [partial(1)]: 2, [partial(3)]: -1000 });
    const later = new Date(Date.now() + 86_400_000);
    utimesSync(join(folder, partial(1)), later, later);
    await put(store, "whole");
    assert.deepEqual(
      readdirSync(folder).sort(),
      [partial(1), partial(2), partial(3), archiveName.filename].sort(),
    );
  });

  it("is as old as the file system's clock says, not ours", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1));
    const realNow = Date.now;
    t.after(() => (Date.now = realNow));
    Date.now = () => realNow() + 24 * 3_600_000;
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [partial(1), archiveName.filename].sort());
  });

  it("is not a new file, though its modification time may be old", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1));
    utimesSync(join(folder, partial(1)), new Date(0), new Date(0));
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [partial(1), archiveName.filename].sort());
  });

  it("blocks no writer when it cannot be removed", async (t) => {
    const { store, folder } = await freshStore(t);
    mkdirSync(join(folder, partial(1), "not-empty"), { recursive: true });
    setAges(t, { [partial(1)]: 2 });
    assert.equal(await put(store, "whole"), "committed");
    await assertNothingOpen(folder);
  });
});
