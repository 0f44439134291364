/**
 * What a load does with a directory that holds files already: leave it, add what is missing, or make
 * it exact.
 */
export type IfLocalExists = "SKIP" | "MERGE" | "REPLACE";

/** What a save does with a cache that is stored already: leave it, keep the union, or replace it. */
export type IfStoredExists = "SKIP" | "REFRESH" | "REPLACE";
