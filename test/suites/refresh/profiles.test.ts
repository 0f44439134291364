import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { createTestPlace, environment } from "../../support/daemon/daemons.ts";
import { contents, write } from "../../support/trees/refresh-trees.ts";
import { fxGraphEntry, kernelFiles } from "./kernel-bundle.ts";

it("a daemon knows its own profiles and those of its file, by their names", async (t) => {
  const place = await createTestPlace(t);
  const file = join(dirname(place.store), "profiles.json");
  writeFileSync(file, JSON.stringify({ small: { include: ["fxgraph/**"] } }));
  const { client } = await place.startDaemon({ COMPILE_CACHE_PROFILES_FILE: file });
  const kernel = { device: 0, hash: "K".repeat(52), files: { "k.cubin": "cubin" } };
  const kernels = Object.keys(kernelFiles(kernel));
  const entry = "fxgraph/ab/fab/entry";
  const localDir = join(place.allowed, "local");
  write(localDir, { [entry]: fxGraphEntry([kernel]), "a.py": "py", ...kernelFiles(kernel) });

  const expected = {
    full: ["a.py", entry, ...kernels],
    lean: ["a.py", entry],
    small: [entry],
    "": ["a.py", entry, ...kernels],
  };
  for (const [profile, names] of Object.entries(expected)) {
    const namespace = `of-${profile}`;
    await client.save({ environment, namespace, localDir, profile });
    const loaded = join(place.allowed, namespace);
    mkdirSync(loaded);
    await client.load({ environment, namespace, localDir: loaded });
    assert.deepEqual(Object.keys(contents(loaded)).sort(), names.sort(), profile);
  }
  await assert.rejects(client.save({ environment, localDir, profile: "none" }), (error: Error) =>
    error.message.includes("known are: full, lean, vllm, small"),
  );
});
