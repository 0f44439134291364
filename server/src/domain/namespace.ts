import { invalidField } from "./cache-error.ts";

// A namespace is a short name, or the id of a model, such as `meta-llama/Llama-3.1-8B`. It is the same
// everywhere, on the wire, in rules, manifests and messages; only as a folder of the store it is escaped,
// so that two of them never share one, also where a file system takes capitals for small letters.

export const defaultNamespace = "default";

/** What the store's folders have always been named. */
const plainPattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const idPattern = /^[A-Za-z0-9/][A-Za-z0-9._/@:+-]{0,127}$/;

/** Of a folder's name. */
const longestFolder = 128;

/** Whether a text is a namespace, without blanks around it. */
export function isNamespace(text: string): boolean {
  return faultOf(text) === undefined;
}

/** The namespace that a request names, without blanks around it; empty means `default`. Throws INVALID_REQUEST. */
export function parseNamespace(text: string): string {
  const namespace = text.trim() || defaultNamespace;
  const fault = faultOf(namespace);
  if (fault === undefined) return namespace;
  throw invalidField("namespace", `${JSON.stringify(namespace)} ${fault}`);
}

/**
 * The folder of a namespace in a store. What needs no escape stays; else a capital letter is `~` and its
 * small one, any other character `~` and its code in two hexadecimal digits. `_` comes before a `~` at
 * the start, which a shell would take for a home directory. Throws INVALID_REQUEST for what is no namespace.
 */
export function folderOfNamespace(namespace: string): string {
  return escaped(parseNamespace(namespace));
}

/** Whether a text can be a pattern of namespaces, in which `*` stands for any text. */
export function isNamespacePattern(text: string): boolean {
  return /^[A-Za-z0-9._/@:+*-]{1,128}$/.test(text);
}

/** Whose folder that is in a store, or undefined for any other name. */
export function namespaceOfFolder(folder: string): string | undefined {
  const text = folder
    .replace(/^_(?=~)/, "")
    .replace(/~([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replace(/~([2-7][0-9a-f])/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
  return isNamespace(text) && escaped(text) === folder ? text : undefined;
}

function escaped(namespace: string): string {
  if (plainPattern.test(namespace)) return namespace;
  return namespace
    .replace(/[^a-z0-9._-]/g, (character) =>
      /[A-Z]/.test(character)
        ? `~${character.toLowerCase()}`
        : `~${character.charCodeAt(0).toString(16)}`,
    )
    .replace(/^~/, "_~");
}

/** Why a text is no namespace. */
function faultOf(text: string): string | undefined {
  if (text.includes("~"))
    return "holds a ~, as folders of a store do: give the id of the model as it is, such as meta-llama/Llama-3.1-8B";
  if (!idPattern.test(text) || text.includes("..") || text === "/")
    return (
      "is no namespace: 1 to 128 letters, digits and . _ - / @ : +, the first of them a letter, a digit or /, " +
      'and no ".."; a short name (llama-8b) or the id of a model (meta-llama/Llama-3.1-8B)'
    );
  const tidy = text.replace(/\/+/g, "/").replace(/\/$/, "");
  if (text !== tidy) return `has a "/" too many: give ${JSON.stringify(tidy)}`;
  const { length } = escaped(text);
  if (length > longestFolder)
    return (
      `is too long for a folder of the store: there a capital letter counts as two characters and each of ` +
      `/ @ : + as three, which makes ${length}, of ${longestFolder} at most`
    );
  return undefined;
}
