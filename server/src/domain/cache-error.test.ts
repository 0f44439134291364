import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { codeOfReason } from "./cache-error.ts";

test("docs/errors.md has every reason, with its code", () => {
  const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = page.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \| `([A-Z_]+)` \|/gm);
  const listed = [...rows].flatMap(([, reasons = "", code]) =>
    [...reasons.matchAll(/`(\w+)`/g)].map(([, reason]) => [reason, code]),
  );
  assert.deepEqual(Object.fromEntries(listed), { ...codeOfReason });
});
