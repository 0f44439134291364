/** What the command line says makes no sense; the message names flags, and what would be right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
