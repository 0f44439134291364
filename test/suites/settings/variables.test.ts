// docs/configuration.md has a row for each variable that any part reads.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { knownVariables } from "../../../server/src/config/misspelled-variables.ts";
import { settings } from "../../../server/src/config/settings.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const sources = ["server/src", "server/bin", "clients/typescript/src", "clients/python/src"];
const name = "[A-Z][A-Z0-9_]*";
const reads = [
  // TypeScript: a member, or members taken apart; an option's default.
  new RegExp(`\\b(?:env|environment)\\.(${name})\\b`, "g"),
  /\{([^{}]*)\}(?:: NodeJS\.ProcessEnv| = (?:process\.env|environment);)/g,
  new RegExp(`\\.env\\(\\s*"(${name})"`, "g"),
  // Python.
  new RegExp(`environ(?:\\.get\\(|\\[)"(${name})"`, "g"),
];

test("the page of variables names each one that is read", () => {
  const page = readFileSync(join(root, "docs/configuration.md"), "utf8");
  const rows = page.slice(page.indexOf("## Every variable"));
  const told = [...rows.matchAll(/`([A-Z][A-Z0-9_]*\*?)`/g)].map(([, told = ""]) => told);
  const ofDaemon = Object.values(settings).map(({ variable }) => variable);
  const isTold = (read: string) =>
    ofDaemon.includes(read) ||
    told.some((one) => (one.endsWith("*") ? read.startsWith(one.slice(0, -1)) : one === read));
  const read = new Set<string>();
  for (const folder of sources)
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!/\.(ts|js|py)$/.test(entry) || /\.test\.ts$/.test(entry) || /_server\//.test(entry))
        continue;
      const text = readFileSync(join(root, folder, entry), "utf8");
      for (const pattern of reads)
        for (const [, found = ""] of text.matchAll(pattern))
          for (const [variable] of found.matchAll(new RegExp(`\\b${name}\\b`, "g")))
            read.add(variable);
    }
  assert.ok(read.has("XDG_RUNTIME_DIR") && read.has("TMPDIR") && read.has("LOCAL_RANK"));
  assert.deepEqual(
    [...read].filter((variable) => !isTold(variable)),
    [],
  );
});

test("Python knows the same variables as the daemon, and so tells of the same slips", () => {
  const module = "clients/python/src/compilecache/_calls/misspelled_settings.py";
  const [, names = ""] =
    /_known = """([^"]*)"""/.exec(readFileSync(join(root, module), "utf8")) ?? [];
  const known = names
    .trim()
    .split(/\s+/)
    .map((short) => `COMPILE_CACHE_${short}`);
  assert.deepEqual(known.sort(), [...knownVariables].sort());
});
