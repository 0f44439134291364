/** What init.sh mounts: one export, by two versions of NFS, each through two clients. */
export const nfsVersions = ["v4.2", "v3"] as const;
export type NfsVersion = (typeof nfsVersions)[number];

export const clientNames = ["first", "second"] as const;

/** Where each of the two clients sees the export. */
export function rootsOf(version: NfsVersion): [string, string] {
  return [`/mnt/${version}-first`, `/mnt/${version}-second`];
}
