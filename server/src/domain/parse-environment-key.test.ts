import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { environmentKey } from "./environment.ts";
import { parseEnvironmentKey } from "./parse-environment-key.ts";

const vectors: { name: string; key: string }[] = JSON.parse(
  readFileSync(new URL("../../../test/vectors/environment-keys.json", import.meta.url), "utf8"),
).filter(({ key }: { key?: string }) => key !== undefined);

describe("parseEnvironmentKey", () => {
  it("gives back an environment of the same key, for each key of the vectors", () => {
    assert.ok(vectors.length > 5);
    for (const { name, key } of vectors) {
      const environment = parseEnvironmentKey(key);
      assert.ok(environment, name);
      assert.equal(environmentKey(environment), key, name);
    }
  });

  it("takes no other text", () => {
    for (const text of [
      "",
      "torch",
      "cpu_triton-none",
      "torch-2.11.0",
      "torch-2.11.0_triton-none_cpu",
      "torch-2.11.0_cpu_triton-none_py-3.12_arch-x86-64",
      "torch-2.11.0_cpu_triton-none_py-3.12_py-3.12",
      "torch-2.11.0_cpu-x_triton-none",
      "Torch-2.11.0_cpu_triton-none",
      "torch-2.11.0+cu130_cuda-13.0_cc-9.0_triton-none",
      "torch-2.11.0_cuda-13.0_triton-none",
      "torch-2.11.0_cpu_triton-none_py-",
      "f096077e76b1",
    ])
      assert.equal(parseEnvironmentKey(text), undefined, text);
  });
});
