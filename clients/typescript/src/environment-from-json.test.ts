import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheServiceError, environmentFromJson } from "./index.ts";

const inner = {
  torch_version: "2.11.0",
  cuda_version: "13.0",
  compute_capability: "9.0",
  triton_version: "",
  extra: { gpu: "nvidia-h200", py: "3.12", my_label: "a_b" },
};
const environment = {
  torchVersion: "2.11.0",
  cudaVersion: "13.0",
  computeCapability: "9.0",
  extra: inner.extra,
};

describe("environmentFromJson", () => {
  it("takes what the command line prints, its environment, and one of this client", () => {
    const report = { environment_key: "torch-...", cache_key: "ac97104c4232", environment: inner };
    const cache = { namespace: "default", cache_key: "ac97104c4232", environment: inner };
    for (const value of [report, cache, inner, JSON.parse(JSON.stringify(environment))])
      assert.deepEqual(environmentFromJson(value), environment);
    assert.deepEqual(environmentFromJson({ torch_version: "2.1" }), { torchVersion: "2.1" });
  });

  it("refuses what holds none, by its name", () => {
    const wrong: [unknown, RegExp][] = [
      [
        "{}",
        /^value: "\{\}" holds no environment; give what compilecache env --json prints, parsed/,
      ],
      [undefined, /^value: undefined holds/],
      [{}, /^environment\.torchVersion: is required/],
      [
        { caches: [] },
        /^environment\.torchVersion: is required|^environment\.caches: is not known/,
      ],
      [{ environment: "torch-2" }, /^environment: is none; give what/],
      [{ ...inner, rocm_version: "6" }, /^environment\.rocmVersion: is not known here; known are/],
      [
        { error: { message: "torch is not installed" } },
        /^value: tells .*: torch is not installed$/,
      ],
    ];
    for (const [value, message] of wrong)
      assert.throws(
        () => environmentFromJson(value),
        (error) => error instanceof CacheServiceError && message.test(error.message),
        String(message),
      );
  });
});
