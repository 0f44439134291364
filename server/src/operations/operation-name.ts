import { basename } from "node:path";
import { invalidField } from "../domain/cache-error.ts";

const longestName = 256;
const control = /\p{Cc}/u;

/** What people are to be shown of a copy, on terminals and in logs. Throws INVALID_REQUEST. */
export function parseOperationName(operationName: string): string {
  if (operationName.length > longestName)
    throw invalidField("operation_name", `is longer than ${longestName} characters`);
  if (control.test(operationName))
    throw invalidField("operation_name", "holds a control character, such as a line break");
  return operationName;
}

/** What people are shown of a copy that was given no name. */
export function defaultCopyName(sourcePath: string): string {
  return `copy ${basename(sourcePath).replace(new RegExp(control, "gu"), "?")}`;
}
