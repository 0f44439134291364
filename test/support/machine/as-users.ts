import { spawnSync } from "node:child_process";
import { serverModule } from "./as-user.ts";

/** A user of this machine, with a group of its own of the same number, in a group with others. */
export interface User {
  readonly uid: number;
  readonly sharedGroup: number;
  readonly umask: number;
}

/**
 * Runs the body of an async function as that user, in a process of its own, with `store` (the file store
 * at `root`), `logged` (its messages) and `put(filename, content, mode)`; returns what it returns.
 */
export function inStoreAs({ uid, sharedGroup, umask }: User, root: string, body: string): unknown {
  const text = `
    import { createFileStore } from ${serverModule("store/file/store.ts")};
    process.umask(${umask});
    const logged = [];
    const log = (message, fields) => logged.push(message + " " + (fields?.error ?? ""));
    const logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
    const store = await createFileStore(${JSON.stringify(root)}, logger);
    const nameOf = (filename) => ({ namespace: "shared", filename });
    const put = async (filename, content, mode = "create") => {
      const writer = await store.create(nameOf(filename));
      try {
        await writer.write(Buffer.from(content));
        return await writer.commit(mode);
      } catch (error) {
        return error.reason + ": " + error.message;
      } finally {
        await writer.abort();
      }
    };
    const versionOf = async (filename) => {
      await using reader = await store.open(nameOf(filename));
      return reader?.version;
    };
    const read = async (filename) => {
      await using reader = await store.open(nameOf(filename));
      return reader && (await reader.read(0, reader.bytes)).toString();
    };
    const result = await (async () => {${body}})().catch(
      (error) => error.reason + ": " + error.message,
    );
    console.log(JSON.stringify(result ?? null));`;
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, `--groups=${sharedGroup}`];
  const node = [process.execPath, "--input-type=module", "--eval", text];
  const { status, stdout, stderr } = spawnSync("setpriv", [...ids, ...node], {
    cwd: "/",
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
