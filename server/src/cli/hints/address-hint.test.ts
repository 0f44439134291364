import assert from "node:assert/strict";
import { it } from "node:test";
import { systemSocketPath, userSocketPath } from "compilecache-client/places";
import { addressHint } from "./address-hint.ts";

it("names the address of a daemon that clients would not look at, and no other's", () => {
  const socket = "unix:/srv/cache.sock";
  assert.match(addressHint([socket], {}) ?? "", /COMPILE_CACHE_ADDRESS=unix:\/srv\/cache\.sock /);
  assert.match(addressHint(["127.0.0.1:50051"], {}) ?? "", /=127\.0\.0\.1:50051 /);
  for (const path of [systemSocketPath, userSocketPath({})])
    assert.equal(addressHint([socket, `unix:${path}`], {}), undefined);
  assert.equal(addressHint([socket], { COMPILE_CACHE_STARTED_BY: "Python" }), undefined);
});
