import { spawn } from "node:child_process";
import { once } from "node:events";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { atExit } from "../../fixtures/at-exit.ts";
import { accepting, freePort } from "../../test/support/ports.ts";
import { findTool } from "../../test/support/tools.ts";
import { cpuSecondsOf } from "../measure.ts";
import { emptyDirectory } from "../scratch.ts";

const bucket = "compile-caches";
const credentials = { accessKeyId: "bench", secretAccessKey: "bench-only-on-this-machine" };

/** versitygw over a directory, with one bucket. */
export interface BenchObjectServer {
  readonly port: number;
  /** CPU seconds that it has used. */
  cpuS(): number;
  /** What a daemon is told to use the bucket; `port` stands for a way that is not the direct one. */
  variables(prefix: string, port?: number): Record<string, string>;
  stop(): Promise<void>;
}

export async function startObjectServer(dir: string): Promise<BenchObjectServer> {
  const program = findTool("versitygw");
  if (!program) throw new Error("versitygw is not installed; npm run test:stores installs it");
  const port = await freePort();
  const endpoint = (port: number) => `http://127.0.0.1:${port}`;
  const child = spawn(
    program,
    ["--keep-alive", "--quiet", "--port", `127.0.0.1:${port}`, "posix", emptyDirectory(dir)],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
    },
  );
  const kill = atExit(() => child.kill("SIGKILL"));
  await accepting(port, child);
  const client = new S3Client({
    endpoint: endpoint(port),
    credentials,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 10,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return {
    port,
    cpuS: () => cpuSecondsOf(child.pid as number),
    variables: (prefix, way = port) => ({
      COMPILE_CACHE_STORE: `s3://${bucket}/${prefix}`,
      AWS_ENDPOINT_URL: endpoint(way),
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    }),
    async stop() {
      const ended = once(child, "exit");
      kill();
      await ended;
    },
  };
}
