import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheError, invalidField, invalidRequest } from "./cache-error.ts";
import { parseAll } from "./parse-all.ts";

const fail = (error: Error) => (): never => {
  throw error;
};
const notAllowed = new CacheError("PATH_NOT_ALLOWED", "outside");

describe("parseAll", () => {
  it("returns what each parser returns", () => {
    const [name, count] = parseAll([() => "a", () => 1]);
    assert.deepEqual([name.toUpperCase(), count.toFixed()], ["A", "1"]);
  });

  it("throws the violations of all parsers, in their order", () => {
    const several = invalidRequest([
      { field: "b", description: "is odd" },
      { field: "c", description: "is even" },
    ]);
    const inner = () => parseAll([fail(several), () => 1]);
    assert.throws(
      () => parseAll([fail(invalidField("a", "is wrong")), inner, fail(invalidField("d", "no"))]),
      {
        reason: "INVALID_REQUEST",
        message: "a: is wrong; b: is odd; c: is even; d: no",
        violations: [
          { field: "a", description: "is wrong" },
          { field: "b", description: "is odd" },
          { field: "c", description: "is even" },
          { field: "d", description: "no" },
        ],
      },
    );
  });

  it("throws another error only where nothing is malformed", () => {
    assert.throws(() => parseAll([fail(notAllowed), () => 1]), notAllowed);
    assert.throws(() => parseAll([fail(notAllowed), fail(invalidField("a", "is wrong"))]), {
      violations: [{ field: "a", description: "is wrong" }],
    });
  });
});
