/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** 0 to 2^32 - 1. */
  uint32(): number;
  /** 0 to `limit` - 1. */
  below(limit: number): number;
  /** A word of `length` characters of `alphabet`. */
  word(alphabet: string, length: number): string;
}

/** Mulberry32: 32 bits of state, fast, and good enough for test data. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function uint32(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  const below = (limit: number) => uint32() % limit;
  return {
    uint32,
    below,
    word(alphabet, length) {
      let text = "";
      for (let i = 0; i < length; i++) text += alphabet.charAt(below(alphabet.length));
      return text;
    },
  };
}
