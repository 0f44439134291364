import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheError } from "../domain/cache-error.ts";
import { pageOf, parsePage } from "./page.ts";

const isInvalidField = (field: string) => (error: unknown) =>
  error instanceof CacheError &&
  error.reason === "INVALID_REQUEST" &&
  error.violations[0]?.field === field;

const identity = (item: string) => item;

function allPages(items: () => readonly string[], pageSize: number): string[][] {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = pageOf(items(), identity, parsePage({ pageSize, pageToken }));
    pages.push([...page.items]);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("parsePage", () => {
  it("takes 1 to 1000 items, and 0 as 100", () => {
    const sizeOf = (pageSize: number) => parsePage({ pageSize, pageToken: "" }).size;
    assert.deepEqual([0, 1, 1000].map(sizeOf), [100, 1, 1000]);
  });
  for (const pageSize of [-1, 1001, 1.5, Number.NaN])
    it(`refuses ${pageSize}`, () => {
      assert.throws(() => parsePage({ pageSize, pageToken: "" }), isInvalidField("page_size"));
    });
  for (const pageToken of ["x", "!!", "MTph=", Buffer.from("2:a").toString("base64url")])
    it(`refuses ${JSON.stringify(pageToken)} as a token`, () => {
      assert.throws(() => parsePage({ pageSize: 1, pageToken }), isInvalidField("page_token"));
    });
});

describe("pageOf", () => {
  it("gives all items once, and no token with the last", () => {
    const items = ["a", "b", "c", "d", "ü/→"];
    assert.deepEqual(
      allPages(() => items, 2),
      [["a", "b"], ["c", "d"], ["ü/→"]],
    );
    assert.deepEqual(
      allPages(() => items, 5),
      [items],
    );
    assert.deepEqual(
      allPages(() => [], 5),
      [[]],
    );
  });

  it("neither repeats nor loses the items that stay while others come and go", () => {
    const versions = [["b", "d", "f", "h"], ["a", "c", "d", "f", "h"], ["h"]];
    let at = 0;
    const pages = allPages(() => versions[at++] ?? [], 2);
    assert.deepEqual(pages, [
      ["b", "d"],
      ["f", "h"],
    ]);
  });

  it("ends when all that was left is gone", () => {
    const versions = [["a", "b"], []];
    let at = 0;
    const pages = allPages(() => versions[at++] ?? [], 1);
    assert.deepEqual(pages, [["a"], []]);
  });
});
