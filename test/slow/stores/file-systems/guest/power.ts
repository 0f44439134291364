import { rootsOf } from "./mounts.ts";

/** Where saves go on until the power fails: the server's own ext4, and what clients see of it. */
export const powerRoots: Readonly<Record<string, string>> = {
  ext4: "/mnt/export/power-ext4",
  "NFS v4.2": `${rootsOf("v4.2")[1]}/power-v4.2`,
  "NFS v3": `${rootsOf("v3")[1]}/power-v3`,
};

/** The archive that each entry refreshes; each also has an archive for itself. */
export const powerRefreshed = {
  namespace: "power",
  filename: "cache_ffffffffffff.latest.tar.zst",
};

/** The file of what was acknowledged before the power failed. */
export const cutPower = "acknowledged.jsonl";
