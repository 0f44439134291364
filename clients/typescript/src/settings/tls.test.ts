import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { resolveClientOptions } from "./client-options.ts";

const certificates = join(import.meta.dirname, "../../../../test/vectors/tls");
const file = (name: string) => join(certificates, name);
const tls = (variables: Record<string, string>, address = "daemon.example:1") =>
  resolveClientOptions(
    { address },
    Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [`COMPILE_CACHE_${name}`, value]),
    ),
  ).tls;

describe("encryption", () => {
  it("is asked for by the certificates to trust", () => {
    assert.equal(tls({}), undefined);
    assert.deepEqual(tls({ TLS_CA: "system" }), { ca: undefined, own: undefined, name: undefined });
    const all = tls({
      TLS_CA: file("server.crt"),
      TLS_CERT: file("trainer.crt"),
      TLS_KEY: ` ${file("trainer.key")}\n`,
      TLS_NAME: "localhost",
    });
    assert.match(String(all?.own?.key), /PRIVATE KEY/);
    assert.equal(all?.name, "localhost");
  });

  it("is not asked for on a socket, whose daemon may be another than the variables are about", () => {
    assert.equal(tls({ TLS_CA: "system", TLS_CERT: "/nowhere" }, "unix:/a"), undefined);
  });

  it("has what is missing or wrong told", () => {
    for (const [variables, words] of [
      [{ TLS_NAME: "x" }, /COMPILE_CACHE_TLS_CA is needed/],
      [{ TLS_CA: "system", TLS_CERT: file("trainer.crt") }, /COMPILE_CACHE_TLS_KEY is needed/],
      [{ TLS_CA: "system", TLS_KEY: file("trainer.key") }, /COMPILE_CACHE_TLS_CERT is needed/],
      [{ TLS_CA: "/nowhere" }, /COMPILE_CACHE_TLS_CA "\/nowhere" cannot be read: ENOENT/],
    ] as [Record<string, string>, RegExp][])
      assert.throws(() => tls(variables), { reason: "INVALID_REQUEST", message: words });
  });

  it("is wanted where a token travels to another machine", () => {
    for (const address of ["daemon.example:1", "10.0.0.1:1", "[2001:db8::1]:1", "dns:///a:1"])
      assert.throws(
        () => tls({ TOKEN: "secret" }, address),
        (error: Error) => {
          assert.match(error.message, /is not sent to .* without encryption/);
          assert.doesNotMatch(error.message, /secret/);
          return true;
        },
      );
    for (const address of ["unix:/a", "127.0.0.1:1", "[::1]:1", "localhost:1"])
      assert.equal(tls({ TOKEN: "secret" }, address), undefined);
    assert.ok(tls({ TOKEN: "secret", TLS_CA: "system" }));
  });
});
