import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { carryOut } from "../store-work.ts";
import { cutPower, powerRefreshed, powerRoots } from "./power.ts";

/**
 * Saves caches and refreshes one, through each kind of mount, until the machine is gone. Each one that
 * was acknowledged is noted on another machine: the one that the guest runs on.
 */
const notes = openSync(join(process.env.OUT as string, cutPower), "w");

await Promise.all(
  Object.entries(powerRoots).map(async ([fileSystem, root]) => {
    for (let n = 0; ; n++) {
      const entry = `${fileSystem} ${n}`;
      const key = n.toString(16).padStart(12, "0");
      const name = { namespace: "power", filename: `cache_${key}.latest.tar.zst` };
      await carryOut({ root, name, task: { kind: "put", entry, mode: "create" } });
      await carryOut({ root, name: powerRefreshed, task: { kind: "grow", entry } });
      writeSync(notes, `${JSON.stringify({ fileSystem, name, entry })}\n`);
      if (n > 10_000) break;
    }
  }),
);
closeSync(notes);
