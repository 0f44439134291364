import type { FieldViolation } from "./cache-service-error.ts";

// What callers hand over may come from code without types. A shape names each part that is wrong.

/** What is wrong with a value that a caller gave for a field. */
export type Shape = (value: unknown, field: string) => readonly FieldViolation[];

const longestShown = 100;

/** A value as messages show it: "a URL", `"text"`, `1.5`. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, longestShown));
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  const name = value.constructor?.name;
  return name === undefined || name === "Object" ? "an object" : `a value of ${name}`;
}

function shape(isRight: (value: unknown) => boolean, wanted: string): Shape {
  return (value, field) =>
    isRight(value) ? [] : [{ field, description: `${shown(value)} is ${wanted}` }];
}

export const text = shape((value) => typeof value === "string", "no text");
export const path = shape(
  (value) => typeof value === "string",
  "no path; give it as text (of a URL, by fileURLToPath of node:url)",
);
export const flag = shape((value) => typeof value === "boolean", "neither true nor false");
export const count = shape(
  (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31,
  "no whole number from 0",
);
export const callback = shape((value) => typeof value === "function", "no function");
export const signal = shape(
  (value) => isObject(value) && "aborted" in value && "addEventListener" in value,
  "no AbortSignal; give the signal of an AbortController",
);
/** What its user judges. */
export const anything: Shape = () => [];

/** May be left out, which null stands for, too. */
export function optional(shape: Shape): Shape {
  return (value, field) => (value === undefined || value === null ? [] : shape(value, field));
}

/** May not be left out; `example` says what would be right. */
export function required(shape: Shape, example: string): Shape {
  return (value, field) =>
    value === undefined || value === null
      ? [{ field, description: `is required, ${example}` }]
      : shape(value, field);
}

/** An object whose every member has one shape. */
export function recordOf(shape: Shape): Shape {
  return (value, field) =>
    isObject(value)
      ? Object.entries(value).flatMap(([name, part]) =>
          shape(part, `${field}[${JSON.stringify(name)}]`),
        )
      : [{ field, description: `${shown(value)} is no object of texts` }];
}

/**
 * An object of these members. A name that is one of them otherwise spelt is refused, and any other too where
 * it is `closed`. `name` is what it is called itself where its members are named without it.
 */
export function objectOf(
  members: Readonly<Record<string, Shape>>,
  options: { readonly name?: string; readonly closed?: true; readonly wanted: string },
): Shape {
  const { name = "", closed = false, wanted } = options;
  const names = Object.keys(members);
  const spelling = (word: string) => word.replaceAll("_", "").toLowerCase();
  const knownAs = (word: string) => names.find((known) => spelling(known) === spelling(word));
  return (value, field) => {
    if (!isObject(value))
      return [{ field: field || name, description: `${shown(value)} is ${wanted}` }];
    const within = (part: string) => (field ? `${field}.${part}` : part);
    const unknown = Object.keys(value).filter((part) => !Object.hasOwn(members, part));
    const misspelt = unknown.filter((part) => closed || knownAs(part));
    const meant = misspelt.map(knownAs);
    return [
      ...misspelt.map((part) => ({
        field: within(part),
        description: `is not known here; ${knownAs(part) ? `did you mean ${knownAs(part)}` : `known are ${names.join(", ")}`}`,
      })),
      // One that is misspelt is not missing, too.
      ...names.flatMap((part) =>
        value[part] === undefined && meant.includes(part)
          ? []
          : (members[part] as Shape)(value[part], within(part)),
      ),
    ];
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
