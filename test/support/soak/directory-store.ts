import { renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SoakStore } from "./soak.ts";

/** A store in a directory, which clients of a file server may each see at a path of their own. */
export function directoryStore(paths: readonly string[]): SoakStore {
  const [path = ""] = paths;
  return {
    urls: paths.map((path) => `file://${path}`),
    variables: {},
    async outage() {
      renameSync(path, `${path}-gone`);
      await sleep(1_000);
      renameSync(`${path}-gone`, path);
    },
  };
}
