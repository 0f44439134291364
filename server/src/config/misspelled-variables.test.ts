import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readConfig } from "./config.ts";
import { knownVariables, misspelledVariables } from "./misspelled-variables.ts";

describe("a variable that is nearly one of ours", () => {
  it("is told with what was meant, once", () => {
    const warnings: string[] = [];
    const environment = { COMPILE_CACHE_GC_MAX_BYTE: "5GB", COMPILE_CACHE_OF_ANOTHER_TOOL: "x" };
    readConfig({}, environment, (warning) => warnings.push(warning));
    assert.deepEqual(warnings, [
      "COMPILE_CACHE_GC_MAX_BYTE is no setting; did you mean COMPILE_CACHE_GC_MAX_BYTES?",
    ]);
  });

  it("is told beside mistakes, too", () => {
    const warnings: string[] = [];
    const environment = { COMPILE_CACHE_STOER: "x", COMPILE_CACHE_STORE: "y" };
    assert.throws(() => readConfig({}, environment, (warning) => warnings.push(warning)));
    assert.deepEqual(warnings, [
      "COMPILE_CACHE_STOER is no setting; did you mean COMPILE_CACHE_STORE?",
    ]);
  });

  it("is none that is documented", () => {
    const docs = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
    const documented = docs.match(/\bCOMPILE_CACHE_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [];
    assert.ok(documented.length > 20);
    const example = "COMPILE_CACHE_GC_MAX_BYTE";
    const unknown = documented.filter((name) => !knownVariables.has(name) && name !== example);
    assert.deepEqual(unknown, []);
    assert.deepEqual(
      [...new Set(documented)].flatMap((name) => misspelledVariables({ [name]: "x" })),
      misspelledVariables({ [example]: "x" }),
    );
  });
});
