import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RootFinder } from "./named-root.ts";
import { relocatedKind } from "./relocate-content.ts";

const find = (content: string, root = "/root/a", name = "state") =>
  new RootFinder([root]).find(Buffer.from(content, "latin1"), name, true);

describe("a file names a directory", () => {
  const cases: [string, string, string | undefined, string?][] = [
    ["in text", "x=/root/a/b", "text"],
    ["in text, at its end", "x=/root/a", "text"],
    ["as the start of another name", "/root/ab /root/a.bak /root/a-1", undefined],
    ["as a part of another path", "/mnt/root/a/b", undefined],
    ["among zeros", "\0/root/a\0", "fixed"],
    ["in a pickle, by its length alone", "\x80\x04\x8c\x07/root/a\x94.\xff", "fixed"],
    ["in a binary file, as the start of another name", "\0/root/ab\0", undefined],
    [
      "in a binary file, where a short one ends another path",
      "\0/var/cache/x\0",
      undefined,
      "/cache",
    ],
    ["as the root of the file system", "\0/x", undefined, "/"],
    ["with letters beyond ASCII, in JSON", '"/root/\\u00e9/x"', "text", "/root/é"],
    [
      "with its longest name written otherwise",
      '"/r/kernels-\\u00e9t\\u00e9/x"',
      "text",
      "/r/kernels-été",
    ],
    ["with its longest name in codes", "url=/r/kernels-%C3%A9t%C3%A9/x", "text", "/r/kernels-été"],
    ["with all its names written otherwise", '"/\\u00e9/\\u00fc/x"', "text", "/é/ü"],
  ];
  for (const [how, content, wanted, root] of cases)
    it(`${how}: ${wanted ?? "no"}`, () => assert.equal(find(content, root), wanted));

  it("in a library that only tells its source: no", () => {
    assert.equal(find("\0/root/a/x.cpp\0", "/root/a", "k.so"), undefined);
    assert.equal(find("\0/root/a/x.cpp\0/root/a/x.cubin\0", "/root/a", "k.so"), "fixed");
  });
});

describe("what a load elsewhere does with a file", () => {
  const relocation = { from: "/a", to: "/b" };
  const listing = "torch_compile_cache/0a/rank_0_0/backbone/vllm_compile_cache.py";

  it("goes by what the save found, and by names that an older archive holds", () => {
    assert.equal(relocatedKind({ name: "x", names_root: "text" }, relocation), "TEXT");
    assert.equal(relocatedKind({ name: "x", names_root: "fixed" }, relocation), "FIXED");
    assert.equal(relocatedKind({ name: listing }, relocation), "TEXT");
    assert.equal(relocatedKind({ name: "x" }, relocation), undefined);
    assert.equal(relocatedKind({ name: "k.cubin", names_root: "fixed" }, relocation), undefined);
  });

  it("is to refuse it where a newer save found what this does not know", () => {
    assert.equal(relocatedKind({ name: "x", names_root: "another" }, relocation), "FIXED");
  });

  it("is nothing in the same directory", () => {
    const same = { from: "/a", to: "/a" };
    assert.equal(relocatedKind({ name: "x", names_root: "fixed" }, same), undefined);
  });
});
