// Daemon and client of this language, held to the same places; Python's tests read the same file.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CacheServiceError, defaultAddress, resolveLocalDirectory } from "compilecache-client";
import { userSocketPath } from "compilecache-client/places";
import { parseAddress } from "../../../clients/typescript/src/settings/address.ts";
import { ConfigError, readConfig } from "../../../server/src/config/config.ts";
import { arrange, places } from "../../support/places.ts";

describe("the local directory", () => {
  for (const place of places.local_directory)
    test(`is where torch has it: ${place.name}`, (t) => {
      const { environment, expected } = arrange(t, place);
      assert.equal(resolveLocalDirectory(undefined, environment), expected);
      const ofDaemon = () => readConfig({}, environment, assert.fail).torchCacheDir;
      if (place.serve === "mistake") assert.throws(ofDaemon, ConfigError);
      else assert.equal(ofDaemon(), expected);
    });
});

describe("the user's own socket", () => {
  for (const place of places.user_socket)
    test(`is where all look for it: ${place.name}`, (t) => {
      const { environment, expected } = arrange(t, place);
      assert.equal(userSocketPath(environment), expected);
    });
});

describe("an address", () => {
  for (const { text, expected } of places.address)
    test(`is taken as it is meant, or refused in words: ${JSON.stringify(text)}`, () => {
      const parse = () => parseAddress(defaultAddress({ COMPILE_CACHE_ADDRESS: text }));
      if (expected !== null) return assert.equal(parse(), expected);
      assert.throws(parse, (error) => {
        assert.ok(error instanceof CacheServiceError);
        assert.equal(error.reason, "INVALID_REQUEST");
        assert.match(error.message, /COMPILE_CACHE_ADDRESS.*; give unix:\/path, host:port/);
        return true;
      });
    });
});
