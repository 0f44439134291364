/** An answer as `--json` prints it: names in snake_case, times in ISO 8601, an error as its parts. */
export function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const whole = "toJSON" in value && typeof value.toJSON === "function" ? value.toJSON() : value;
  return Object.fromEntries(
    Object.entries(whole as object).map(([name, part]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      inSnakeCase(part),
    ]),
  );
}
