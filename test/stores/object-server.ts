import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3Server } from "../../server/src/store/s3-client.ts";
import { accepting, freePort } from "./ports.ts";
import { findTool } from "./tools.ts";

const bucket = "compile-caches";
const credentials = {
  accessKeyId: randomBytes(8).toString("hex"),
  secretAccessKey: randomBytes(16).toString("hex"),
};

interface ServerKind {
  command(port: number, dir: string): readonly string[];
  readonly variables: Record<string, string>;
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

/** Starts a server, which ends with `scope`; its data lie in memory where there is a place. */
export async function startObjectServer(
  scope: { after(cleanUp: () => Promise<void>): void },
  name: ServerName,
): Promise<ObjectServer> {
  const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const dir = await mkdtemp(join(root, `cc-${name}-`));
  const port = await freePort();
  const server = { endpoint: `http://127.0.0.1:${port}`, credentials };
  let child: ChildProcess;
  const start = async () => {
    const { command, variables } = serverKinds[name];
    child = spawn(findTool(name) ?? name, command(port, dir), {
      stdio: ["ignore", "ignore", "inherit"],
      env: { PATH: process.env.PATH, HOME: dir, ...variables },
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

/** What a daemon is told to use a bucket; `endpoint` stands for a way that is not the direct one. */
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
  // A server that has just started may say for a moment that it is not ready.
  const client = new S3Client({
    ...server,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 10,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}
