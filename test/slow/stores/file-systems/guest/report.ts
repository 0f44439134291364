import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

/** The result of a test in the guest: its reporter writes a line of JSON for each. */
export interface GuestResult {
  readonly name: string;
  /** How deep it is; the tests in it come before it. */
  readonly nesting: number;
  readonly skip: boolean | string;
  /** Its error. */
  readonly failure?: string;
  readonly milliseconds: number;
}

/** A test reporter for the guest. */
export default async function* report(events: AsyncIterable<TestEvent>) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name, nesting, skip = false, details } = data;
    const result: GuestResult = {
      name,
      nesting,
      skip,
      ...(type === "test:fail" ? { failure: inspect(data.details.error.cause) } : {}),
      milliseconds: details.duration_ms,
    };
    yield `${JSON.stringify(result)}\n`;
  }
}
