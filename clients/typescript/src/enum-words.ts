type WordOf<Name, Prefix extends string> = Name extends `${Prefix}_${infer Word}`
  ? Word extends "UNSPECIFIED"
    ? never
    : Lowercase<Word>
  : never;

/** The words of one protobuf enum: its values' names without the prefix, in lower case. */
export interface EnumWords<Word extends string, Value extends number> {
  /** The word for a value; "unknown" for one that only a newer daemon knows. */
  wordOf(value: number): Word | "unknown";
  /** The value for a word, or undefined where there is none. */
  valueOf(word: string): Value | undefined;
  readonly words: readonly Word[];
}

/** Pairs a generated enum with words that people write, such as `LOAD_STATUS_SKIPPED` "skipped". */
export function createEnumWords<const Enum extends Record<string, number>, Prefix extends string>(
  values: Enum,
  prefix: Prefix,
): EnumWords<WordOf<keyof Enum, Prefix>, Enum[keyof Enum]> {
  type Word = WordOf<keyof Enum, Prefix>;
  const valueByWord = new Map<string, Enum[keyof Enum]>();
  for (const name of Object.keys(values) as (keyof Enum & string)[]) {
    if (name.startsWith(`${prefix}_`) && values[name] !== 0)
      valueByWord.set(name.slice(prefix.length + 1).toLowerCase(), values[name]);
  }
  const wordByValue = new Map<number, Word>();
  for (const [word, value] of valueByWord) wordByValue.set(value, word as Word);
  return {
    wordOf: (value) => wordByValue.get(value) ?? "unknown",
    valueOf: (word) => valueByWord.get(word),
    words: [...valueByWord.keys()] as Word[],
  };
}
