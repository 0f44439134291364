import type { Keep } from "./exposures.ts";

/** The values of settings further up; one that could not be understood is undefined. */
type ValuesSoFar = Readonly<Record<string, unknown>>;

/**
 * What holds when nothing is given: a text that is parsed, or how the value itself is made, and what
 * the help says of it. A value never becomes text again: a path is no list.
 */
type Fallback<T> =
  | string
  | {
      readonly make: (values: ValuesSoFar, environment: NodeJS.ProcessEnv) => T;
      readonly shown: string;
    };

/** One thing that can be configured. */
export interface Setting<T> {
  /** The environment variable; its flag has the same name. */
  readonly variable: string;
  /** Another program's variable, which is asked when that one is unset, and what it means there. */
  readonly other?: { readonly variable: string; readonly parse: (text: string) => T };
  /**
   * Whether other programs use the variable, too, so that it may not be meant for us: what cannot be
   * understood there is passed over with a warning, where of a variable of our own it is a mistake.
   */
  readonly shared?: true;
  /** The word for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  readonly fallback: Fallback<T>;
  /** Whether the value is a comma-separated list, so that the flag may be repeated. */
  readonly list?: true;
  /** Whether blanks around the text belong to it, as they can to a directory's name. */
  readonly verbatim?: true;
  /** What to keep the file from that the text names. */
  readonly keep?: Keep;
  /** Throws a Mistake. */
  readonly parse: (text: string) => T;
}

/** Says a setting, with its type. */
export const setting = <T>(setting: Setting<T>): Setting<T> => setting;
