import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDuration, parseQuotas, parseSize } from "./amounts.ts";
import { Mistake } from "./values.ts";

describe("amounts", () => {
  it("are times with a unit", () => {
    const times = { "0": 0, "30s": 30_000, "5m": 300_000, "12h": 43_200_000, "90d": 7_776_000_000 };
    for (const [text, ms] of Object.entries(times)) assert.equal(parseDuration(text), ms);
    for (const text of ["", "30", "1w", "-1d", "1.5h", "1 d", "d"])
      assert.throws(() => parseDuration(text), Mistake, text);
  });

  it("are sizes with a unit", () => {
    const sizes = {
      "0B": 0,
      "12B": 12,
      "1kB": 1000,
      "50GB": 50e9,
      "1.5 GiB": 1.5 * 2 ** 30,
      "2TiB": 2 ** 41,
    };
    for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes);
    for (const text of ["", "50", "50G", "GB", "-1GB", "1kiB", "1e3MB"])
      assert.throws(() => parseSize(text), Mistake, text);
  });

  it("are quotas, by patterns of namespaces", () => {
    assert.deepEqual(parseQuotas("team-a-*=10GB, *=1MiB"), [
      { namespaces: "team-a-*", maxBytes: 10e9 },
      { namespaces: "*", maxBytes: 2 ** 20 },
    ]);
    for (const text of ["", "a", "a=", "=1GB", "A b=1GB", "a=1GB=2", "a=1G"])
      assert.throws(() => parseQuotas(text), Mistake, text);
  });
});
