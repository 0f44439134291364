import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import type { ServerName } from "../../../fixtures/object-server.ts";
import { openStore, type S3Options } from "../../../server/src/store/open-store.ts";
import { eventually } from "../../support/eventually.ts";
import { scratchDir } from "../../support/flow-bench.ts";
import { leavesOut } from "../../support/machine/tools.ts";
import { type LogLine, recordingLogger } from "../../support/recording-logger.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { failsWith, mebibyte, name, writeArchive } from "../../support/s3/scripted-store.ts";
import { certificateFile, startForwardProxy, startTls } from "../../support/s3/surroundings.ts";

/** What the environment is for one test. */
function surround(t: TestContext, variables: NodeJS.ProcessEnv): void {
  const outside = { ...process.env };
  t.after(() => {
    for (const variable of Object.keys(process.env)) delete process.env[variable];
    Object.assign(process.env, outside);
  });
  for (const variable of Object.keys(process.env))
    if (/^AWS_|_proxy$/i.test(variable)) delete process.env[variable];
  Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: "true" }, variables);
}

async function opened(bucket: string, options: S3Options = {}) {
  const lines: LogLine[] = [];
  const location = { kind: "s3", bucket, prefix: "settings" } as const;
  const store = await openStore(location, recordingLogger(lines), { s3: options });
  if (!options.isAnonymous) await eventually("the probe of conditions", () => lines.length > 0);
  return store;
}

async function requireWork(bucket: string, options: S3Options = {}) {
  const store = await opened(bucket, options);
  for (const bytes of [mebibyte, 7 * mebibyte]) {
    assert.equal(await writeArchive(store, bytes, 1, "replace"), "committed");
    await using reader = await store.open(name);
    assert.equal((await reader?.read(0, bytes))?.length, bytes);
  }
  assert.deepEqual(await store.list(undefined), [name]);
  assert.equal(await store.remove(name), true);
}

for (const kind of ["versitygw", "minio", "garage"] as const satisfies ServerName[])
  describe(`settings of S3 with ${kind}`, { skip: leavesOut(kind) ?? false }, () => {
    const setUp = async (t: TestContext, variables: NodeJS.ProcessEnv) => {
      const server = await startTestObjectServer(t, kind);
      const { accessKeyId, secretAccessKey } = server.server.credentials;
      surround(t, {
        AWS_ENDPOINT_URL_S3: server.server.endpoint,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        ...variables,
      });
      return server;
    };

    it("no checksums", async (t) => {
      const { bucket } = await setUp(t, {
        AWS_REQUEST_CHECKSUM_CALCULATION: "WHEN_REQUIRED",
        AWS_RESPONSE_CHECKSUM_VALIDATION: "WHEN_REQUIRED",
      });
      await requireWork(bucket);
    });

    it("checksums of what is read", async (t) => {
      const { bucket } = await setUp(t, { AWS_RESPONSE_CHECKSUM_VALIDATION: "WHEN_SUPPORTED" });
      await requireWork(bucket);
    });

    it("another region than its own", async (t) => {
      const { bucket } = await setUp(t, { AWS_REGION: "eu-west-1" });
      await requireWork(bucket);
    });

    it("TLS with a private CA, through a proxy", async (t) => {
      const server = await setUp(t, {});
      const tlsPort = await startTls(t, server.port);
      const proxy = await startForwardProxy(t, { httpPort: server.port, tlsPort });
      Object.assign(process.env, {
        AWS_ENDPOINT_URL_S3: "https://store.test",
        AWS_CA_BUNDLE: certificateFile,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      });
      await requireWork(server.bucket);
      assert.ok(proxy.asked.length > 0);
    });

    it("credentials that are wrong", async (t) => {
      const { bucket } = await setUp(t, { AWS_SECRET_ACCESS_KEY: "wrong".repeat(8) });
      const store = await opened(bucket);
      await assert.rejects(
        store.list(undefined),
        failsWith("STORE_UNAVAILABLE", /refused the credentials \(\w+\)/),
      );
    });

    it("a bucket that is not there", async (t) => {
      await setUp(t, {});
      const store = await opened("no-such-bucket");
      await assert.rejects(store.open(name), failsWith("STORE_UNAVAILABLE", /no-such-bucket/));
      await assert.rejects(store.list(undefined), failsWith("STORE_UNAVAILABLE", /no-such-bucket/));
    });
  });

describe("credentials", { skip: leavesOut("versitygw", "minio") ?? false }, () => {
  for (const [kind, idVariable, secretVariable] of [
    ["versitygw", "ROOT_ACCESS_KEY", "ROOT_SECRET_KEY"],
    ["minio", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"],
  ] as const)
    it(`in a file that is replaced while ${kind} takes others`, async (t) => {
      const server = await startTestObjectServer(t, kind);
      const file = join(scratchDir(t), "credentials");
      const write = (id: string, secret: string) =>
        writeFileSync(
          file,
          `[rotated]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`,
        );
      const { accessKeyId, secretAccessKey } = server.server.credentials;
      write(accessKeyId, secretAccessKey);
      surround(t, {
        AWS_ENDPOINT_URL: server.server.endpoint,
        AWS_PROFILE: "rotated",
        AWS_SHARED_CREDENTIALS_FILE: file,
      });
      const store = await opened(server.bucket);
      assert.equal(await writeArchive(store, mebibyte, 1, "create"), "committed");
      for (const id of ["second", "third"]) {
        await server.kill("SIGTERM");
        await server.restart({ [idVariable]: id, [secretVariable]: `secret-of-${id}` });
        await assert.rejects(store.list(undefined), failsWith("STORE_UNAVAILABLE", /credentials/));
        write(id, `secret-of-${id}`);
        assert.equal((await store.open(name))?.bytes, mebibyte);
        assert.equal(await writeArchive(store, 7 * mebibyte, 2, "replace"), "committed");
        assert.equal(await writeArchive(store, mebibyte, 1, "replace"), "committed");
      }
    });

  it("that are not needed to read a public bucket", async (t) => {
    const { server, bucket } = await startTestObjectServer(t, "minio");
    const client = new S3Client({ ...server, region: "us-east-1", forcePathStyle: true });
    const Statement = [
      {
        Effect: "Allow",
        Principal: { AWS: ["*"] },
        Action: ["s3:GetObject", "s3:ListBucket"],
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    client.destroy();
    surround(t, {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    });
    await writeArchive(await opened(bucket), mebibyte, 1, "create");
    delete process.env.AWS_ACCESS_KEY_ID;
    delete process.env.AWS_SECRET_ACCESS_KEY;
    const store = await opened(bucket, { isAnonymous: true });
    assert.equal((await store.open(name))?.bytes, mebibyte);
    assert.deepEqual(await store.list(undefined), [name]);
    assert.equal(await store.open({ ...name, namespace: "other" }), undefined);
    await assert.rejects(
      writeArchive(store, mebibyte, 2, "replace"),
      failsWith("STORE_UNAVAILABLE", /without credentials/),
    );
  });
});
