import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { openStore, type S3Server } from "../../../server/src/store/open-store.ts";
import type { Store } from "../../../server/src/store/store.ts";
import { accepting, freePort } from "../ports.ts";
import { recordingLogger } from "../recording-logger.ts";
import { findTool } from "../tools.ts";

const bucket = "compile-caches";
// In the form that garage demands.
const credentials = {
  accessKeyId: `GK${randomBytes(12).toString("hex")}`,
  secretAccessKey: randomBytes(32).toString("hex"),
};

interface ServerKind {
  command(port: number, dir: string): readonly string[];
  readonly variables: Record<string, string>;
  /** Writes the files that it reads when it starts. */
  prepare?(port: number, dir: string): Promise<void>;
}

/** The servers that these tests run against, and how they are started. */
export const serverKinds = {
  versitygw: {
    command: (port, dir) => [
      "--keep-alive",
      "--quiet",
      "--port",
      `127.0.0.1:${port}`,
      "posix",
      dir,
    ],
    variables: {
      ROOT_ACCESS_KEY: credentials.accessKeyId,
      ROOT_SECRET_KEY: credentials.secretAccessKey,
    },
  },
  minio: {
    command: (port, dir) => ["server", "--quiet", "--address", `127.0.0.1:${port}`, dir],
    variables: {
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      MINIO_BROWSER: "off",
    },
  },
  garage: {
    command: (_port, dir) => [
      "--config",
      join(dir, "garage.toml"),
      "server",
      "--single-node",
      "--default-bucket",
    ],
    prepare: async (port, dir) => {
      const rpc = `127.0.0.1:${await freePort()}`;
      const settings = [
        `metadata_dir = "${dir}/meta"`,
        `data_dir = "${dir}/data"`,
        'db_engine = "sqlite"',
        "replication_factor = 1",
        `rpc_bind_addr = "${rpc}"`,
        `rpc_public_addr = "${rpc}"`,
        `rpc_secret = "${randomBytes(32).toString("hex")}"`,
        "[s3_api]",
        's3_region = "us-east-1"',
        `api_bind_addr = "127.0.0.1:${port}"`,
      ];
      await writeFile(join(dir, "garage.toml"), settings.join("\n"));
    },
    variables: {
      GARAGE_DEFAULT_ACCESS_KEY: credentials.accessKeyId,
      GARAGE_DEFAULT_SECRET_KEY: credentials.secretAccessKey,
      GARAGE_DEFAULT_BUCKET: bucket,
      RUST_LOG: "warn",
    },
  },
} satisfies Record<string, ServerKind>;
export type ServerName = keyof typeof serverKinds;

/** An object server in a process of its own, with one empty bucket. */
export interface ObjectServer {
  readonly port: number;
  readonly bucket: string;
  /** Where it keeps its data. */
  readonly dir: string;
  readonly server: Required<S3Server>;
  /** Ends its process; SIGSTOP and SIGCONT are fine too. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again over the same data. */
  restart(): Promise<void>;
}

/** Runs a server for the tests of a suite; they get it by calling the result. */
export function objectServerForSuite(name: ServerName): () => ObjectServer {
  let server: ObjectServer | undefined;
  let end = async () => {};
  const scope = {
    after(cleanUp: () => Promise<void>) {
      end = cleanUp;
    },
  };
  before(async () => {
    server = await startObjectServer(scope, name);
  });
  after(() => end());
  return () => server as ObjectServer;
}

/** Starts a server, which ends with `scope`; its data lie in memory if /dev/shm is there. */
export async function startObjectServer(
  scope: { after(cleanUp: () => Promise<void>): void },
  name: ServerName,
): Promise<ObjectServer> {
  const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const dir = await mkdtemp(join(root, `cc-${name}-`));
  const port = await freePort();
  const server = { endpoint: `http://127.0.0.1:${port}`, credentials };
  const kind: ServerKind = serverKinds[name];
  await kind.prepare?.(port, dir);
  let child: ChildProcess;
  const start = async () => {
    child = spawn(findTool(name) ?? name, kind.command(port, dir), {
      stdio: ["ignore", "ignore", "inherit"],
      env: { PATH: process.env.PATH, HOME: dir, ...kind.variables },
    });
    await accepting(port, child);
  };
  const kill = async (signal: NodeJS.Signals) => {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended) return;
    child.kill(signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await once(child, "exit");
  };
  await start();
  scope.after(async () => {
    await kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  });
  await createBucket(server);
  return { port, bucket, dir, server, kill, restart: start };
}

/** Opens the store that has a prefix in the bucket of a server. */
export function openStoreOn({ bucket, server }: ObjectServer, prefix: string): Promise<Store> {
  return openStore({ kind: "s3", bucket, prefix, server }, recordingLogger([]));
}

/** The environment of a daemon that uses a bucket; `endpoint` may be that of a proxy. */
export function variablesFor(
  { bucket, server }: ObjectServer,
  prefix: string,
  endpoint = String(server.endpoint),
): Record<string, string> {
  return {
    COMPILE_CACHE_STORE: `s3://${bucket}/${prefix}`,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

async function createBucket(server: Required<S3Server>): Promise<void> {
  // For a moment after its start a server may not be ready.
  const client = new S3Client({
    ...server,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 10,
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  }
  client.destroy();
}
