import assert from "node:assert/strict";
import { test } from "node:test";
import { CacheError, invalidField } from "./cache-error.ts";
import { harmless } from "./harmless-text.ts";

test("text is shown without what a terminal obeys", () => {
  for (const [text, shown] of [
    ["größe 漢字 👍", "größe 漢字 👍"],
    ["a\nb\r\tc", "a\\nb\\u000d\\u0009c"],
    ["\u001b[31m \u009b31m", "\\u001b[31m \\u009b31m"],
    ["\u202ecba", "\\u202ecba"],
    ["a\u2028b", "a\\u2028b"],
    ["\u{e0041}", "\\u{e0041}"],
  ] as const)
    assert.equal(harmless(text), shown);
});

test("an error's words are, whoever named the file", () => {
  const error = new CacheError("LOCAL_UNAVAILABLE", "cannot read /tmp/\u009b2J");
  assert.equal(error.message, "cannot read /tmp/\\u009b2J");
  const [violation] = invalidField("local_dir", 'is "\u001b"').violations;
  assert.equal(violation?.description, 'is "\\u001b"');
});
