import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtInProfiles, type Profile } from "../../domain/profile.ts";
import { createProfileFilter } from "./profile-filter.ts";

describe("createProfileFilter", () => {
  const paths = ["fxgraph/ab/x", "triton/k/a.cubin", "triton/k/a.ttir", "assets/m.json", ".hidden"];
  const kept = (profile: Profile) => paths.filter(createProfileFilter(profile));

  it("keeps everything, hidden names too, without globs", () => {
    assert.deepEqual(kept({ include: [], exclude: [] }), paths);
  });

  it("keeps what is included and not excluded", () => {
    assert.deepEqual(kept({ include: ["triton/**", "fxgraph/**"], exclude: ["**/*.ttir"] }), [
      "fxgraph/ab/x",
      "triton/k/a.cubin",
    ]);
  });

  it("leaves out what vLLM makes anew, at any depth", () => {
    const keeps = createProfileFilter(builtInProfiles.get("vllm") as Profile);
    assert.ok(keeps("torch_compile_cache/torch_aot_compile/ab/model"));
    for (const path of [
      "assets/a",
      "x/modelinfos/b.json",
      "gpu_p2p_access_cache_for_0,1.json",
      "startup_plan/c/d",
    ])
      assert.ok(!keeps(path), path);
  });
});
