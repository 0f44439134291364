import { isNamespacePattern } from "../../domain/namespace.ts";
import { Mistake, quoted } from "./values.ts";

const unitsMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const decimal = ["", "k", "M", "G", "T"].map((letter, power) => [letter, 1000 ** power] as const);
const binary = ["", "K", "M", "G", "T"].map((letter, power) => [letter, 1024 ** power] as const);
const unitsBytes = new Map<string, number>([
  ...decimal.map(([letter, bytes]) => [`${letter}B`, bytes] as const),
  ...binary.slice(1).map(([letter, bytes]) => [`${letter}iB`, bytes] as const),
]);

/** A length of time, in milliseconds: a whole number, then s, m, h or d; 0 needs no unit. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const [, number = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * (unitsMs[unit] ?? Number.NaN);
  if (ms >= 0) return ms;
  throw new Mistake("is no time: a whole number and a unit, such as 30m, 12h or 90d");
}

/** A size, in bytes: a number, then B, kB, MB, GB, TB, or KiB, MiB, GiB, TiB. */
export function parseSize(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kKMGT]?i?B)$/.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (unitsBytes.get(unit) ?? Number.NaN));
  if (number !== "" && bytes >= 0) return bytes;
  throw new Mistake("is no size: a number and a unit, such as 800MiB or 50GB");
}

/** Quotas: a pattern of namespaces, `=`, and a size, each. */
export function parseQuotas(text: string): { namespaces: string; maxBytes: number }[] {
  return text.split(",").map((part) => {
    const [namespaces = "", size = "", ...more] = part.trim().split("=");
    if (!isNamespacePattern(namespaces) || more.length > 0)
      throw new Mistake(`holds ${quoted(part)}, which is not <namespace or pattern>=<size>`);
    try {
      return { namespaces, maxBytes: parseSize(size) };
    } catch (error) {
      if (error instanceof Mistake)
        throw new Mistake(`holds ${quoted(size)}, which ${error.message}`);
      throw error;
    }
  });
}
