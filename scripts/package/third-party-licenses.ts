import { readdirSync, readFileSync } from "node:fs";

const isLicense = /^(licen[cs]e|copying|notice)/i;

/**
 * The text that the licences of bundled packages require: the text of each licence, after the names of
 * the packages that come under it. `inputs` are the bundled files, relative to `root`.
 */
export function thirdPartyLicenses(root: string, inputs: readonly string[]): string {
  const directories = new Set<string>();
  for (const input of inputs) {
    const [directory] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input) ?? [];
    if (directory) directories.add(directory);
  }
  const packagesOfText = new Map<string, string[]>();
  for (const directory of [...directories].sort()) {
    const { title, text } = licenseOf(`${root}${directory}`);
    packagesOfText.set(text, [...(packagesOfText.get(text) ?? []), title]);
  }
  const sections = [...packagesOfText].map(
    ([text, titles]) => `${"=".repeat(80)}\n${titles.join("\n")}\n\n${text}\n`,
  );
  return sections.join("\n");
}

function licenseOf(directory: string): { title: string; text: string } {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
  const texts = readdirSync(directory)
    .filter((file) => isLicense.test(file))
    .map((file) => readFileSync(`${directory}/${file}`, "utf8").trim());
  return { title: `${name} ${version} (${license})`, text: texts.join("\n\n") };
}
