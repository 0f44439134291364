/**
 * Prefix of all that a daemon itself puts in or beside a local directory: stages, markers, clocks. No
 * save takes such a name, and no load does.
 */
export const ownPrefix = ".compilecache-";
