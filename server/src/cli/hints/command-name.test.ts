import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { commandName } from "./command-name.ts";

it("names npx where npx started the program, and no other is on the PATH", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "cc-name-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [ofNpx, ofUser] = [join(dir, "node_modules/.bin"), join(dir, "bin")];
  for (const directory of [ofNpx, ofUser]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(ofNpx, "compilecache"), "", { mode: 0o755 });
  const PATH = `${ofNpx}:${ofUser}`;
  assert.equal(commandName({ PATH, npm_command: "exec" }), "npx compilecache");
  assert.equal(commandName({ PATH }), "compilecache");
  writeFileSync(join(ofUser, "compilecache"), "", { mode: 0o755 });
  assert.equal(commandName({ PATH, npm_command: "exec" }), "compilecache");
});
