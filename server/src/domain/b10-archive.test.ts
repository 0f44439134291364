import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { b10ArchiveNames, isB10ArchiveName } from "./b10-archive.ts";

const environment = { torchVersion: "2.8.0", cudaVersion: "", computeCapability: "" };
const of = (cudaVersion: string, extra: Record<string, string>) =>
  b10ArchiveNames({ ...environment, tritonVersion: "", cudaVersion, extra }, "node-1");

describe("names of b10-transfer's archives", () => {
  it("are those that it computes itself", () => {
    assert.deepEqual(of("12.8", { gpu: "NVIDIA H100 80GB HBM3", py: "3.12" }), {
      names: [
        "cache_3b20c534a035fa77.latest.tar.gz",
        "cache_3b20c534a035fa77.node-1.latest.tar.gz",
      ],
      untold: "",
    });
    assert.deepEqual(of("", { arch: "x86_64" }), {
      names: ["cache_436c59e667a63097.latest.tar.gz"],
      untold: "for which CPU it was compiled",
    });
  });

  it("escape what Python escapes", () => {
    // hashlib.sha256(json.dumps({"cuda_version": "12.8", "device_name": 'Größe "🚀"\x7f'}, sort_keys=True).encode())
    assert.equal(
      of("12.8", { gpu: 'Größe "🚀"\x7f' })?.names[0],
      "cache_0d8823fe6c24f16b.latest.tar.gz",
    );
  });

  it("do not tell torch's cache from vLLM's", () => {
    const [torch, vllm] = ["inductor", "vllm"].map((root) =>
      of("12.8", { gpu: "NVIDIA H200", root }),
    );
    assert.deepEqual(vllm, { ...torch, untold: "whether it is vLLM's cache or torch's" });
    assert.equal(torch?.untold, "");
  });

  it("are none where it saves nothing", () => {
    assert.equal(of("", { arch: "x86_64", rocm: "6.2", gfx: "gfx942" }), undefined);
    assert.equal(of("12.8", { gpu: "NVIDIA H200", root: "flashinfer" }), undefined);
    assert.equal(of("12.8", {}), undefined);
    assert.equal(of("", {}), undefined);
  });

  it("are told from other names", () => {
    for (const name of [
      "cache_3b20c534a035fa77.latest.tar.gz",
      "cache_3b20c534a035fa77.a.b.latest.tar.gz",
    ])
      assert.ok(isB10ArchiveName(name), name);
    for (const name of [
      "cache_0123456789ab.latest.tar.gz",
      "cache_3b20c534a035fa77.latest.tar.zst",
      "cache_3b20c534a035fa77.incomplete.tar.gz",
      "cache_3b20c534a035fa77.latest.tar.gz.part",
    ])
      assert.ok(!isB10ArchiveName(name), name);
  });
});
