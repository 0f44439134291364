import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cut, fitTable } from "./fit-table.ts";

const rows = [
  ["", "NAMESPACE", "KEY", "BY", "ENVIRONMENT"],
  ["*", "llama-8b", "0123456789ab", "-", `torch-2.11.0_${"label-x_".repeat(20)}`],
  ["", `team-${"a".repeat(60)}`, "ba9876543210", "-", "torch-2.11.0_cpu"],
];

describe("fitTable", () => {
  it("shows everything where there is room, but for columns that say nothing", () => {
    const text = fitTable(rows, Number.POSITIVE_INFINITY);
    assert.ok(text.includes(rows[1]?.[4] as string));
    assert.doesNotMatch(text, / BY /);
    assert.match(text, /^ +NAMESPACE +KEY +ENVIRONMENT$/m);
  });

  it("cuts the widest columns until a line fits, and none that is to be whole", () => {
    for (const width of [60, 80, 120]) {
      const lines = fitTable(rows, width, ["KEY"]).split("\n");
      for (const line of lines) assert.ok(line.length <= width, `${width}: ${line}`);
      assert.ok(Math.max(...lines.map(({ length }) => length)) > width - 3, "the width is used");
      assert.match(lines[1] ?? "", /^\* {2}llama-8b +0123456789ab {2}torch-2\.11\.0_.*…$/);
      assert.match(lines[2] ?? "", /ba9876543210/);
    }
  });

  it("lets a line be wider where nothing more may be cut", () => {
    const text = fitTable([["ID"], ["0123456789"]], 5, ["ID"]);
    assert.equal(text, "ID\n0123456789");
  });
});

describe("cut", () => {
  it("leaves a text that fits", () => {
    assert.equal(cut("four", 4), "four");
    assert.equal(cut("fourth", 4), "fou…");
  });
});
