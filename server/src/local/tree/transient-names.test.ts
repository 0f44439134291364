import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTransientDirectory, isTransientFile } from "./transient-names.ts";

describe("names that never travel", () => {
  it("are those of locks, of unfinished files, and of editors", () => {
    const names = [
      "c5m.lock",
      ".lock",
      "kernel.cubin.tmp",
      "x.temp",
      "download.part",
      "x.partial",
      "x.incomplete",
      ".12345.139872.tmp",
      ".12345.139872.tmp.abc",
      ".nfs0000000000a1b2c300000001",
      "file.py~",
      ".#file.py",
      "#file.py#",
      ".file.py.swp",
      ".compilecache-not-loaded",
      ".compilecache-stage-0123",
    ];
    for (const name of names) assert.ok(isTransientFile(name), name);
  });

  it("are not those of what compilers leave", () => {
    const names = [
      "fabcdef",
      "triton_poi_fused_0.json",
      "__grp__triton.json",
      "kernel.cubin",
      "launcher.so",
      "a.llir",
      "clock",
      "x.lock.json",
      "locks",
      "tmp",
      "template.py",
      "partial",
      ".hidden",
      "best_config",
      "a.tmpl",
      "#",
      "compilecache-stage-1",
    ];
    for (const name of names) assert.ok(!isTransientFile(name), name);
  });

  it("are directories of locks and of unfinished work", () => {
    for (const name of ["locks", "tmp.pid_12_0f", ".compilecache-stage-0123"])
      assert.ok(isTransientDirectory(name), name);
    for (const name of ["lock", "tmp", "tmp.d", "fxgraph", "my.lock", ".hidden"])
      assert.ok(!isTransientDirectory(name), name);
  });
});
