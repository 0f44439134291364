import { join } from "node:path";
import type { SaveInput, SaveResult } from "compilecache-client";
import { environment } from "../daemon/daemons.ts";
import { touchVersion, writeVersion } from "../trees/versions.ts";
import type { ClientProcess } from "./client-processes.ts";

/**
 * Has all clients save the same key at the same moment, each a version of its own, through the daemons
 * in turn. Returns what came of each version.
 */
export async function saveAtOnce(
  clients: readonly ClientProcess[],
  daemons: readonly { readonly address: string }[],
  allowed: string,
  ifStoredExists: SaveInput["ifStoredExists"] = "skip",
): Promise<SaveResult[]> {
  const savers = clients.map((client, version) => {
    const localDir = join(allowed, `saver-${version}`);
    writeVersion(localDir, version);
    const { address } = daemons[version % daemons.length] as { address: string };
    return { client, address, localDir };
  });
  await Promise.all(savers.map(({ client, address }) => client.connect(address)));
  // A save waits for a young file to settle, so that one of each daemon commits at that moment.
  const now = new Date();
  for (const { localDir } of savers) touchVersion(localDir, now);
  return Promise.all(
    savers.map(({ client, address, localDir }) =>
      client.save(address, { environment, localDir, ifStoredExists }),
    ),
  );
}
