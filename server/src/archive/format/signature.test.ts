import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateKeys, parseSigningKey, parseTrustedKeys } from "../../signing/keys.ts";
import { decodeManifest } from "./decode-manifest.ts";
import { skippableHeaderBytes } from "./format.ts";
import { encodeManifest, type Manifest } from "./manifest.ts";
import { signatureIn, signJson } from "./signature.ts";

const { signingKey, trustedKey } = generateKeys();
const key = parseSigningKey(signingKey);
const [trusted] = parseTrustedKeys(trustedKey);
const manifest: Manifest = {
  format: "compilecache",
  version: 1,
  namespace: "default",
  environment: {
    torchVersion: "2.1.0",
    cudaVersion: "",
    computeCapability: "",
    tritonVersion: "",
    extra: {},
  },
  environment_key: "torch-2.1.0_cpu_triton-none",
  generation: 1,
  created_at: "2026-01-01T00:00:00.000Z",
  tool: "compilecache/0",
  file_count: 0,
  content_bytes: 0,
  frames: [],
  index: { bytes: 0, sha256: "0".repeat(64) },
};

/** What a manifest is after it was written and read. */
function reread(signed: boolean): Manifest {
  return decodeManifest(
    encodeManifest(manifest, signed ? key : undefined).subarray(skippableHeaderBytes),
  );
}

describe("the signature of a manifest", () => {
  it("is read with it, and holds for the key that made it", () => {
    const { signature, ...rest } = reread(true);
    assert.ok(signature);
    assert.equal(signature.keyId, key.id);
    assert.ok(trusted?.made(signature.value, signature.text));
    assert.deepEqual(rest, { ...manifest, origin: {} });
    const [other] = parseTrustedKeys(generateKeys().trustedKey);
    assert.ok(!other?.made(signature.value, signature.text));
  });

  it("is absent where nobody signed", () => {
    assert.equal(reread(false).signature, undefined);
  });

  it("does not hold once a byte is another one", () => {
    const json = Buffer.from(signJson(manifest, key));
    let held = 0;
    for (let at = 0; at < json.length; at++) {
      const changed = Buffer.from(json);
      changed[at] = (changed[at] as number) ^ 1;
      const signature = signatureIn(changed, key.id);
      if (signature && trusted?.made(signature.value, signature.text)) held += 1;
    }
    assert.equal(held, 0);
    const whole = signatureIn(json, key.id);
    assert.ok(whole && trusted?.made(whole.value, whole.text));
  });
});
