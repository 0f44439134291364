import assert from "node:assert/strict";
import { it } from "node:test";
import { readConfig } from "./config.ts";
import { gcFields, idleBounds } from "./gc-policy.ts";

const bounds = { COMPILE_CACHE_GC_MAX_BYTES: "8MB", COMPILE_CACHE_GC_QUOTAS: "a-*=1GB" };
const every = { COMPILE_CACHE_GC_EVERY: "1h" };

it("bounds that no daemon looks at are told, with what has it look", () => {
  const words = idleBounds(readConfig({}, bounds)) ?? "";
  assert.match(words, /^COMPILE_CACHE_GC_MAX_BYTES, COMPILE_CACHE_GC_QUOTAS: .*removes nothing/);
  assert.match(words, /set COMPILE_CACHE_GC_EVERY=1h \(--gc-every 1h\)/);
  for (const environment of [{}, every, { ...bounds, ...every }])
    assert.equal(idleBounds(readConfig({}, environment)), undefined);
});

it("the log says what stays and how often is looked, where collection is on", () => {
  assert.deepEqual(gcFields(readConfig({}, bounds)), {});
  const { gc } = JSON.parse(JSON.stringify(gcFields(readConfig({}, { ...bounds, ...every }))));
  assert.deepEqual(gc, {
    every_seconds: 3600,
    max_bytes: 8_000_000,
    quotas: ["a-*=1000000000"],
    keep_seconds: 3600,
  });
});
