import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createCacheClient, type TlsOptions } from "./index.ts";

const certificates = join(import.meta.dirname, "../../../test/vectors/tls");
const file = (name: string) => join(certificates, name);
const content = (name: string) => readFileSync(file(name));

/** A server that speaks TLS, or not, and knows no call. */
async function listen(
  t: TestContext,
  kind: "tls" | "mutual" | "plain" | "elsewhere",
): Promise<string> {
  const server: Http2Server | Http2SecureServer =
    kind === "plain"
      ? createServer()
      : createSecureServer({
          key: content("server.key"),
          cert: content("server.crt"),
          ca: content("callers-ca.crt"),
          requestCert: kind === "mutual",
          rejectUnauthorized: kind === "mutual",
        });
  server.on("stream", (stream) =>
    stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true }),
  );
  const host = kind === "elsewhere" ? "127.0.0.2" : "127.0.0.1";
  server.listen(0, host);
  await once(server, "listening");
  t.after(() => server.close());
  return `${host}:${(server.address() as AddressInfo).port}`;
}

async function failureOf(address: string, tls?: TlsOptions) {
  const client = createCacheClient({ address, tls, timeoutMs: 30_000 });
  try {
    return await client.listCaches().then(
      () => assert.fail("it answered"),
      (error: Error & { code: string }) => error,
    );
  } finally {
    client.close();
  }
}

describe("a call over TLS", () => {
  it("reaches a daemon by an IP address that its certificate has", async (t) => {
    const address = await listen(t, "tls");
    assert.equal((await failureOf(address, { ca: file("server.crt") })).code, "UNIMPLEMENTED");
  });

  for (const [what, kind, tls, words] of [
    [
      "is trusted by none",
      "tls",
      { ca: "system" },
      /signed by none that is trusted.*_TLS_CA\), or COMPILE_CACHE_TLS_CA=system [^;]*$/,
    ],
    [
      "has another name",
      "tls",
      { ca: file("server.crt"), name: "other.example.com" },
      /has other names; .*_TLS_NAME\).*DNS:localhost/,
    ],
    [
      "has names, and not this IP address",
      "elsewhere",
      { ca: file("server.crt") },
      /has other names; .*IP: 127\.0\.0\.2 is none of DNS:localhost, DNS:store\.test, /,
    ],
    [
      "has another IP address",
      "tls",
      { ca: file("no-host.crt") },
      /signed by none that is trusted|has other names/,
    ],
    ["speaks none", "plain", { ca: "system" }, /speaks no TLS; .*\(wrong version number\)$/],
    [
      "wants a certificate",
      "mutual",
      { ca: file("server.crt") },
      /wants a certificate of the caller.*_TLS_CERT and COMPILE_CACHE_TLS_KEY\)/,
    ],
    ["speaks TLS, and is not asked to", "tls", undefined, /where it wants TLS, .*_TLS_CA\)$/],
  ] as const)
    it(`says what to do where the daemon ${what}`, async (t) => {
      const { code, message } = await failureOf(await listen(t, kind), tls);
      assert.equal(code, "UNAVAILABLE");
      assert.match(message, words);
    });
});
