import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import {
  type ObjectServer,
  type ServerName,
  startObjectServer,
} from "../../../fixtures/object-server.ts";
import { openStore } from "../../../server/src/store/open-store.ts";
import type { Store } from "../../../server/src/store/store.ts";
import { recordingLogger } from "../recording-logger.ts";
import { wholly } from "../wholly.ts";

/** Starts a server for the tests of a suite; they call the returned function while they run. */
export function objectServerForSuite(name: ServerName): () => ObjectServer {
  let server: ObjectServer | undefined;
  let end = async () => {};
  const scope = {
    after(cleanUp: () => Promise<void>) {
      end = cleanUp;
    },
  };
  before(async () => {
    server = await startTestObjectServer(scope, name);
  });
  after(() => end());
  return () => server as ObjectServer;
}

/** Starts a server that ends with `scope`; its data are in memory if there is a file system for it. */
export async function startTestObjectServer(
  scope: { after(cleanUp: () => Promise<void>): void },
  name: ServerName,
): Promise<ObjectServer> {
  const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const dir = await mkdtemp(join(root, `cc-${name}-`));
  let server: ObjectServer | undefined;
  scope.after(async () => {
    await server?.kill("SIGKILL");
    await rm(dir, wholly);
  });
  server = await startObjectServer(name, dir);
  return server;
}

/** Opens the store that has a prefix in the bucket of a server. */
export function openStoreOn({ bucket, server }: ObjectServer, prefix: string): Promise<Store> {
  return openStore({ kind: "s3", bucket, prefix, server }, recordingLogger([]));
}
