import { harmless } from "../../domain/harmless-text.ts";

/** A daemon of another version, or another's, may not have made harmless what it names. */
export function harmlessLines(text: string): string {
  return text.split("\n").map(harmless).join("\n");
}
