/** What a caller may be allowed to do; the documentation of the configuration file explains each. */
export const rights = [
  "load",
  "overwrite",
  "clear",
  "save",
  "delete",
  "copy",
  "cancel",
  "list",
] as const;
export type Right = (typeof rights)[number];

/** Those of a token that may read only: it changes nothing that is there already. */
export const readingRights: ReadonlySet<Right> = new Set(["load", "list"]);

export const allRights: ReadonlySet<Right> = new Set(rights);
