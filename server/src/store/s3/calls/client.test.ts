import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, beforeEach, describe, it, type TestContext } from "node:test";
import { eventually } from "../../../../../test/support/eventually.ts";
import { type LogLine, recordingLogger } from "../../../../../test/support/recording-logger.ts";
import { startScriptedS3 } from "../../../../../test/support/s3/scripted-s3.ts";
import {
  failsWith,
  key,
  name,
  writeArchive,
} from "../../../../../test/support/s3/scripted-store.ts";
import {
  certificateFile,
  startForwardProxy,
  startTls,
} from "../../../../../test/support/s3/surroundings.ts";
import { createS3Store, type S3Options } from "../store.ts";

const mebibyte = 1024 * 1024;
const keys = { AWS_ACCESS_KEY_ID: "scripted", AWS_SECRET_ACCESS_KEY: "secret" };

describe("a store whose settings come from its surroundings", () => {
  const outside = { ...process.env };
  let dir = "";
  before((t) => {
    dir = mkdtempSync(join(tmpdir(), "cc-aws-"));
    (t as TestContext).after?.(() => rmSync(dir, { recursive: true, force: true }));
  });
  /** Takes all that a user may have set from the environment, and sets these. */
  const surround = (variables: NodeJS.ProcessEnv) => {
    for (const variable of Object.keys(process.env))
      if (/^AWS_|_proxy$|^SSL_CERT|^REQUESTS_CA/i.test(variable)) delete process.env[variable];
    const files = {
      AWS_CONFIG_FILE: join(dir, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(dir, "credentials"),
    };
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: "true", ...files, ...variables });
  };
  beforeEach(() => {
    for (const file of ["config", "credentials"]) writeFileSync(join(dir, file), "");
  });
  const setUp = async (t: TestContext) => {
    t.after(() => {
      for (const variable of Object.keys(process.env)) delete process.env[variable];
      Object.assign(process.env, outside);
    });
    const s3 = await startScriptedS3(t);
    const httpPort = Number(new URL(s3.endpoint).port);
    const tlsPort = await startTls(t, httpPort);
    const proxy = await startForwardProxy(t, { httpPort, tlsPort });
    const lines: LogLine[] = [];
    const logger = recordingLogger(lines);
    const open = (options: S3Options = {}) =>
      createS3Store({ bucket: s3.bucket, prefix: "pre/fix", logger, ...options });
    const warnings = () =>
      lines.filter(({ level }) => level === "warn").map((line) => line.message);
    return { s3, proxy, tlsPort, open, warnings };
  };

  for (const [variable, scheme, spelled] of [
    ["HTTPS_PROXY", "https", (port: number) => `http://127.0.0.1:${port}`],
    ["https_proxy", "https", (port: number) => `http://user:pass@127.0.0.1:${port}/`],
    ["HTTP_PROXY", "http", (port: number) => `http://127.0.0.1:${port}`],
    ["http_proxy", "http", (port: number) => `127.0.0.1:${port}`],
  ] as const)
    it(`goes through the proxy of ${variable}`, async (t) => {
      const { s3, proxy, open, warnings } = await setUp(t);
      surround({
        ...keys,
        [variable]: spelled(proxy.port),
        AWS_ENDPOINT_URL: `${scheme}://store.test:8443`,
        AWS_CA_BUNDLE: certificateFile,
      });
      const store = await open();
      assert.equal(await writeArchive(store, 1000, 1, "create"), "committed");
      assert.equal((await store.open(name))?.bytes, 1000);
      assert.ok(s3.objects.has(key));
      assert.match(proxy.asked[0] ?? "", /^(CONNECT|PUT|POST) .*store\.test:8443/);
      assert.deepEqual(warnings(), []);
    });

  for (const exempt of ["127.0.0.1", "10.0.0.0/8 127.0.0.0/8", "*", "localhost, 127.0.0.1:*"].slice(
    0,
    3,
  ))
    it(`goes past the proxy to what NO_PROXY=${exempt} names`, async (t) => {
      const { s3, proxy, open } = await setUp(t);
      surround({
        ...keys,
        HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
        no_proxy: exempt,
        AWS_ENDPOINT_URL: s3.endpoint,
      });
      assert.deepEqual(await (await open()).list(undefined), []);
      assert.deepEqual(proxy.asked, []);
    });

  it("passes over a proxy that is none, and says so without its password", async (t) => {
    const { s3, open, warnings } = await setUp(t);
    surround({ ...keys, HTTP_PROXY: "socks5://u:s3cret@x:1", AWS_ENDPOINT_URL: s3.endpoint });
    assert.deepEqual(await (await open()).list(undefined), []);
    assert.match(warnings().join(), /^HTTP_PROXY is passed over/);
    assert.doesNotMatch(warnings().join(), /s3cret/);
  });

  it("says that a proxy cannot be used", async (t) => {
    const { proxy, open } = await setUp(t);
    const variables = { ...keys, AWS_ENDPOINT_URL: "https://other.test" };
    surround({ ...variables, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    const refused = failsWith("STORE_UNAVAILABLE", /through the proxy that HTTPS_PROXY .*403/);
    await assert.rejects((await open()).open(name), refused);
    surround({ ...variables, HTTPS_PROXY: "http://127.0.0.1:1" });
    await assert.rejects((await open()).open(name), failsWith("STORE_UNAVAILABLE", /ECONNREFUSED/));
  });

  for (const variable of ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "ca_bundle"])
    it(`trusts the certificates of ${variable}`, async (t) => {
      const { tlsPort, open, warnings } = await setUp(t);
      const endpoint = { AWS_ENDPOINT_URL: `https://localhost:${tlsPort}` };
      surround({ ...keys, ...endpoint });
      const distrusted = failsWith("STORE_UNAVAILABLE", /not believed \(.*AWS_CA_BUNDLE/);
      await assert.rejects((await open()).list(undefined), distrusted);
      if (variable === "ca_bundle")
        writeFileSync(join(dir, "config"), `[profile p]\nca_bundle = ${certificateFile}\n`);
      const profile = variable === "ca_bundle" ? { AWS_PROFILE: "p" } : {};
      writeFileSync(
        join(dir, "credentials"),
        "[p]\naws_access_key_id=a\naws_secret_access_key=b\n",
      );
      surround({ ...keys, ...endpoint, ...profile, [variable]: certificateFile });
      assert.deepEqual(await (await open()).list(undefined), []);
      assert.ok(!warnings().some((warning) => warning.includes("passed over")));
    });

  it("passes over certificates that cannot be read", async (t) => {
    const { s3, open, warnings } = await setUp(t);
    for (const [file, why] of [
      ["/nowhere.pem", /SSL_CERT_FILE is passed over: "\/nowhere.pem" cannot be used: ENOENT/],
      [import.meta.filename, /passed over: .* cannot be used/],
    ] as const) {
      surround({ ...keys, SSL_CERT_FILE: file, AWS_ENDPOINT_URL: s3.endpoint });
      assert.deepEqual(await (await open()).list(undefined), []);
      assert.match(warnings().at(-1) ?? "", why);
    }
  });

  it("says that TLS is spoken to a server without it, and the other way round", async (t) => {
    const { s3, tlsPort, open } = await setUp(t);
    surround({ ...keys, AWS_ENDPOINT_URL: s3.endpoint.replace("http:", "https:") });
    const noTls = failsWith("STORE_UNAVAILABLE", /is its endpoint http rather than https/);
    await assert.rejects((await open()).list(undefined), noTls);
    surround({ ...keys, AWS_ENDPOINT_URL: `http://localhost:${tlsPort}` });
    await assert.rejects(
      (await open()).list(undefined),
      failsWith("STORE_UNAVAILABLE", /^the store /),
    );
  });

  it("has checksums as the SDK's settings say", async (t) => {
    const { s3, open } = await setUp(t);
    const checksums = () =>
      s3.calls
        .flatMap(({ headers }) => Object.keys(headers))
        .filter((header) => header.includes("checksum"));
    surround({
      ...keys,
      AWS_ENDPOINT_URL: s3.endpoint,
      AWS_REQUEST_CHECKSUM_CALCULATION: "when_required",
    });
    assert.equal(await writeArchive(await open(), 7 * mebibyte, 1, "create"), "committed");
    assert.deepEqual(checksums(), []);
    writeFileSync(
      join(dir, "config"),
      `[default]\nendpoint_url = ${s3.endpoint}\nrequest_checksum_calculation = when_required\n` +
        "response_checksum_validation = when_supported\nregion = eu-west-1\n",
    );
    surround(keys);
    const store = await open();
    assert.equal(await writeArchive(store, mebibyte, 1, "replace"), "committed");
    await store.open(name);
    assert.deepEqual([...new Set(checksums())], ["x-amz-checksum-mode"]);
    assert.match(s3.calls.at(-1)?.headers.authorization ?? "", /\/eu-west-1\/s3\//);
    assert.equal(s3.calls.at(-1)?.key, key, "the bucket is in the path");
  });

  it("asks for encryption with every object that it makes", async (t) => {
    const { s3, open } = await setUp(t);
    surround({ ...keys, AWS_ENDPOINT_URL: s3.endpoint });
    const store = await open({ encryption: { algorithm: "aws:kms", keyId: "alias/caches" } });
    await writeArchive(store, 7 * mebibyte, 1, "create");
    await writeArchive(store, mebibyte, 1, "replace");
    const reader = await store.open(name);
    assert.ok(await store.setAside(name, reader?.version ?? ""));
    const made = s3.calls.filter(({ operation }) => /^(Put|Create|Copy)/.test(operation));
    assert.ok(new Set(made.map(({ operation }) => operation)).size === 3);
    for (const { headers } of made)
      assert.deepEqual(
        ["", "-aws-kms-key-id"].map((end) => headers[`x-amz-server-side-encryption${end}`]),
        ["aws:kms", "alias/caches"],
      );
  });

  it("reads a file of credentials again once they are refused", async (t) => {
    const { s3, open } = await setUp(t);
    surround({ AWS_ENDPOINT_URL: s3.endpoint });
    const rotate = (id: string) => {
      const text = `[default]\naws_access_key_id=${id}\naws_secret_access_key=of-${id}\n`;
      writeFileSync(join(dir, "credentials"), text);
    };
    let valid = "first";
    let code = "";
    s3.script = ({ headers }) =>
      headers.authorization?.includes(`Credential=${valid}/`)
        ? undefined
        : { error: [code === "ExpiredToken" ? 400 : 403, code] };
    rotate("first");
    const store = await open();
    await store.list(undefined);
    for (code of ["InvalidAccessKeyId", "ExpiredToken", "SignatureDoesNotMatch", "AccessDenied"]) {
      valid = `after-${code}`;
      // Refused as long as the file has the old ones.
      await assert.rejects(store.list(undefined), failsWith("STORE_UNAVAILABLE", new RegExp(code)));
      if (code === "AccessDenied") continue;
      rotate(valid);
      assert.equal(await writeArchive(store, 1000, 1, "replace"), "committed");
      await Promise.all([store.open(name), store.list(undefined), store.remove(name)]);
    }
    const calls = s3.calls.length;
    await assert.rejects(store.list(undefined), failsWith("STORE_UNAVAILABLE", /AccessDenied/));
    assert.equal(s3.calls.length, calls + 1, "a call was repeated with the same credentials");
  });

  it("is read without credentials where that is asked for", async (t) => {
    const { s3, open } = await setUp(t);
    surround({ AWS_ENDPOINT_URL: s3.endpoint });
    s3.put(key, Buffer.alloc(1000, 1));
    const without = failsWith(
      "STORE_UNAVAILABLE",
      /no AWS credentials were found .*COMPILE_CACHE_S3_ANONYMOUS=true/,
    );
    await assert.rejects((await open()).open(name), without);
    assert.equal(s3.calls.length, 0);
    const store = await open({ isAnonymous: true });
    assert.equal((await store.open(name))?.bytes, 1000);
    assert.deepEqual(await store.list(undefined), [name]);
    assert.equal(store.note?.(), "read without credentials");
    for (const { headers } of s3.calls) assert.equal(headers.authorization, undefined);
    s3.script = ({ operation }) =>
      operation === "PutObject" ? { error: [403, "AccessDenied"] } : undefined;
    await assert.rejects(
      writeArchive(store, 1000, 1, "replace"),
      failsWith("STORE_UNAVAILABLE", /without credentials/),
    );
  });

  it("takes the region that the store names, and a later one", async (t) => {
    const { s3, open } = await setUp(t);
    surround({ ...keys, AWS_ENDPOINT_URL: s3.endpoint, AWS_DEFAULT_REGION: "us-west-2" });
    const store = await open();
    await eventually("the probe", () => s3.calls.length > 20);
    assert.match(s3.calls[0]?.headers.authorization ?? "", /\/us-west-2\/s3\//);
    for (const region of ["eu-north-1", "us-west-2"]) {
      s3.script = ({ headers }) =>
        headers.authorization?.includes(`/${region}/s3/`)
          ? undefined
          : { error: [400, "AuthorizationHeaderMalformed"], fields: { Region: region } };
      await Promise.all(Array.from({ length: 5 }, () => store.list(undefined)));
    }
  });

  for (const [code, status, sentence] of [
    ["RequestTimeTooSkewed", 403, /clock/],
    ["NoSuchBucket", 404, /there is no bucket scripted/],
    ["AccessDenied", 403, /must be valid, and allow s3:GetObject/],
  ] as const)
    it(`says ${code} in words`, async (t) => {
      const { s3, open } = await setUp(t);
      surround({ ...keys, AWS_ENDPOINT_URL: s3.endpoint });
      s3.script = () => ({ error: [status, code] });
      await assert.rejects(
        (await open()).list(undefined),
        failsWith("STORE_UNAVAILABLE", sentence),
      );
    });

  it("works below a path of its server, with or without a slash at its end", async (t) => {
    const { s3, open } = await setUp(t);
    for (const end of ["", "/"]) {
      surround({ ...keys, AWS_ENDPOINT_URL: `${s3.endpoint}${end}` });
      assert.deepEqual(await (await open()).list(undefined), []);
    }
    surround({ ...keys, AWS_ENDPOINT_URL: `${s3.endpoint}/base/` });
    await assert.rejects((await open()).list(undefined), failsWith("STORE_UNAVAILABLE", /./));
    assert.ok(s3.paths.some((path) => path.startsWith(`/base/${s3.bucket}`)));
    assert.ok(!s3.paths.some((path) => path.startsWith("//")));
  });
});
