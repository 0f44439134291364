import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { relocate } from "./relocate.ts";

const move = { from: "/old/cache", to: "/new" };
const group = (path: string) =>
  Buffer.from(JSON.stringify({ child_paths: { "k.cubin": path }, x: 1 }));
const name = "triton/0/KEY/__grp__k.json";
const relocated = (name: string, content: Buffer) => Buffer.from(relocate(name, content, move));

describe("relocate", () => {
  it("moves the paths of a Triton group along", () => {
    const moved = relocated(name, group("/old/cache/triton/0/KEY/k.cubin"));
    assert.deepEqual(JSON.parse(moved.toString()), {
      child_paths: { "k.cubin": "/new/triton/0/KEY/k.cubin" },
      x: 1,
    });
  });

  it("leaves everything but the paths as Python wrote it, where it can", () => {
    const at = (dir: string) =>
      `{"child_paths": {"k.cubin": "${dir}/triton/0/KEY/k.cubin"}, "x": 1.0}`;
    assert.equal(relocated(name, Buffer.from(at("/old/cache"))).toString(), at("/new"));
    const escaped = relocated(name, Buffer.from(at("/old/cache/\\u00fc"))).toString();
    assert.equal(JSON.parse(escaped).child_paths["k.cubin"], "/new/ü/triton/0/KEY/k.cubin");
  });

  it("leaves alone what is not below the old directory, byte for byte", () => {
    for (const path of ["/old/cache-2/k.cubin", "/elsewhere/k.cubin", "k.cubin"]) {
      const content = Buffer.from(`${group(path)} `);
      assert.deepEqual(relocated(name, content), content);
    }
  });

  it("leaves alone other files, and groups that are not JSON", () => {
    const content = group("/old/cache/k.cubin");
    assert.deepEqual(relocated("triton/0/KEY/k.json", content), content);
    for (const text of ["{", "null", '"text"', '{"child_paths":7}'])
      assert.deepEqual(relocated(name, Buffer.from(text)).toString(), text);
  });
});
