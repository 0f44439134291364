import * as fs from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const attempts = 20;

/**
 * Gives a file a name, whatever has it. An NFS client says that the name is busy while another process
 * of its machine renames to it: that passes.
 */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await fs.rename(from, to);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["ETXTBSY", "EBUSY"].includes(code) || attempt === attempts) throw error;
      await sleep(10 * attempt);
    }
}
