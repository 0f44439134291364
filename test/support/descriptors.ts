import { closeSync, openSync } from "node:fs";

/** Opens files until this process may have no more open, and returns their descriptors. */
export function openAll(): number[] {
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync("/dev/null", "r"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EMFILE") return opened;
    throw error;
  }
}

/** Closes them. */
export function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
