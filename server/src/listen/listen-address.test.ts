import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatListenAddress, isLocalOnly, parseListenAddress } from "./listen-address.ts";

describe("parseListenAddress", () => {
  test("reads what formatListenAddress writes", () => {
    for (const text of ["unix:/run/a.sock", "127.0.0.1:0", "[::1]:50051", "my-host.local:65535"]) {
      const address = parseListenAddress(text);
      assert.ok(address, text);
      assert.equal(formatListenAddress(address), text);
    }
    assert.deepEqual(parseListenAddress("unix:///run//a.sock"), {
      kind: "unix",
      path: "/run/a.sock",
    });
    assert.deepEqual(parseListenAddress("/run/a.sock"), { kind: "unix", path: "/run/a.sock" });
  });

  test("refuses everything else", () => {
    const wrong = ["", "8080", ":8080", "host", "host:", "host:65536", "host:x", "::1:80"];
    wrong.push(
      "[host]:80",
      "[::1]",
      "unix:",
      "unix:a",
      "unix://a/b",
      "/run/",
      "unix:/a/",
      "http://a:80",
      "a b:1",
    );
    for (const text of wrong) assert.equal(parseListenAddress(text), undefined, text);
  });
});

describe("isLocalOnly", () => {
  test("tells loopback addresses and sockets from the network", () => {
    const isLocal = (text: string) => {
      const address = parseListenAddress(text);
      return address && isLocalOnly(address);
    };
    for (const text of ["unix:/a", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
      assert.equal(isLocal(text), true, text);
    for (const text of ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.org:1", "node:1"])
      assert.equal(isLocal(text), false, text);
  });
});
