import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { relocate } from "./relocate.ts";

const group = (path: string) =>
  Buffer.from(JSON.stringify({ child_paths: { "k.cubin": path }, x: 1 }));
const name = "triton/0/KEY/__grp__k.json";
const relocated = (name: string, content: Buffer) => Buffer.from(relocate(name, content, "/new"));

describe("relocate", () => {
  it("moves the paths of a Triton group along, wherever they were", () => {
    for (const from of ["/old/cache", "/a", ""]) {
      const moved = relocated(name, group(`${from}/triton/0/KEY/k.cubin`));
      assert.deepEqual(JSON.parse(moved.toString()), {
        child_paths: { "k.cubin": "/new/triton/0/KEY/k.cubin" },
        x: 1,
      });
    }
  });

  it("leaves everything but the paths as Python wrote it, where it can", () => {
    const at = (dir: string) =>
      `{"child_paths": {"k.cubin": "${dir}/triton/0/KEY/k.cubin"}, "x": 1.0}`;
    assert.equal(relocated(name, Buffer.from(at("/old"))).toString(), at("/new"));
    const escaped = relocated(name, Buffer.from(at("/\\u00fcber"))).toString();
    assert.equal(JSON.parse(escaped).child_paths["k.cubin"], "/new/triton/0/KEY/k.cubin");
  });

  it("leaves alone paths that are no neighbour's, byte for byte", () => {
    for (const path of [
      "/old/triton/0/OTHER/k.cubin",
      "/old/triton/0/KEY/other.cubin",
      "/old/nottriton/0/KEY/k.cubin",
      "k.cubin",
      "/new/triton/0/KEY/k.cubin",
    ]) {
      const content = Buffer.from(`${group(path)} `);
      assert.deepEqual(relocated(name, content), content);
    }
  });

  it("leaves alone other files, and groups that are not JSON or are too large", () => {
    const content = group("/old/triton/0/KEY/k.cubin");
    assert.deepEqual(relocated("triton/0/KEY/k.json", content), content);
    for (const text of ["{", "null", '"text"', '{"child_paths":7}'])
      assert.deepEqual(relocated(name, Buffer.from(text)).toString(), text);
    const large = Buffer.concat([content, Buffer.alloc(1024 * 1024, " ")]);
    assert.deepEqual(relocated(name, large), large);
  });
});
