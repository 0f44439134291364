import { readFileSync } from "node:fs";

/** The number of a user or group, by its number or its name in /etc/passwd or /etc/group; else undefined. */
export function idOf(kind: "user" | "group", nameOrNumber: string | number): number | undefined {
  const text = String(nameOrNumber);
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (text === "") return undefined;
  const lines = readFileSync(kind === "user" ? "/etc/passwd" : "/etc/group", "utf8").split("\n");
  const found = lines.map((line) => line.split(":")).find(([name]) => name === text);
  return found && Number(found[2]);
}
