import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { CacheError } from "./cache-error.ts";
import {
  cacheKeyOf,
  differingComponents,
  type Environment,
  environmentComponents,
  environmentKey,
} from "./environment.ts";

interface WireEnvironment {
  torch_version: string;
  cuda_version: string;
  compute_capability: string;
  triton_version: string;
  extra: Record<string, string>;
}

/** What an environment must come to: a key, violations, or what differs from another one. */
interface Vector {
  name: string;
  environment: WireEnvironment;
  key?: string;
  cache_key?: string;
  violations?: string[];
  other?: WireEnvironment;
  differing?: string[];
}

// The Python client's tests read the same file.
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL("../../../test/vectors/environment-keys.json", import.meta.url), "utf8"),
);

function fromWire(wire: WireEnvironment): Environment {
  return {
    torchVersion: wire.torch_version,
    cudaVersion: wire.cuda_version,
    computeCapability: wire.compute_capability,
    tritonVersion: wire.triton_version,
    extra: wire.extra,
  };
}

function violatedFields(environment: Environment): string[] {
  try {
    environmentKey(environment);
  } catch (error) {
    assert.ok(error instanceof CacheError);
    assert.equal(error.reason, "INVALID_REQUEST");
    return error.violations.map(({ field }) => field);
  }
  return [];
}

describe("environmentKey", () => {
  for (const { name, environment, key, cache_key, violations } of vectors) {
    if (key !== undefined)
      it(`${name}: ${key}`, () => {
        assert.equal(environmentKey(fromWire(environment)), key);
        assert.equal(cacheKeyOf(key), cache_key);
      });
    if (violations)
      it(`refuses: ${name}`, () => {
        assert.deepEqual(violatedFields(fromWire(environment)), violations);
      });
  }

  it("gives different keys to environments with different components", () => {
    const components = new Map<string, string>();
    for (const { environment, key } of vectors) {
      if (key === undefined) continue;
      const text = JSON.stringify([...environmentComponents(fromWire(environment))]);
      assert.equal(components.get(key) ?? text, text);
      components.set(key, text);
    }
  });
});

describe("differingComponents", () => {
  for (const { name, environment, other, differing } of vectors) {
    if (!other) continue;
    it(name, () => {
      assert.deepEqual(differingComponents(fromWire(environment), fromWire(other)), differing);
      assert.deepEqual(differingComponents(fromWire(other), fromWire(environment)), differing);
    });
  }
});
