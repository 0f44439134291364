// Asks advisory sources about what ships: the packages of the lockfile through npm, the pins of the
// Python requirements through pip-audit. Exits with 1 if something was found, else with 2 if a source
// was not reached, which is not the same as nothing found.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Answer, answerOfNpm, answerOfPip } from "./advisory-answers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pipAudit = "pip-audit==2.10.1";
const place = `${root}.venv/audit`;

function ask(program: string, args: string[]): { stdout: string; stderr: string } {
  const { error, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
  if (error) throw error;
  return { stdout, stderr };
}

/** Beside the environment for development, which has other versions of what pip-audit needs. */
function installPipAudit(): void {
  if (existsSync(`${place}/bin/pip-audit`)) return;
  execFileSync("python3", ["-m", "venv", place]);
  const pip = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install", pipAudit];
  execFileSync(`${place}/bin/python`, pip, { stdio: "inherit" });
}

function askPip(requirements: string): Answer {
  const args = ["--format", "json", "--no-deps", "--disable-pip", "--requirement", requirements];
  const { stdout, stderr } = ask(`${place}/bin/pip-audit`, args);
  return answerOfPip(stdout, stderr);
}

/** Prints it, and returns the exit code that it is worth. */
function tell(what: string, answer: Answer): 0 | 1 | 2 {
  if ("notChecked" in answer) {
    console.log(`${what}: not checked, no advisory source could be asked (${answer.notChecked})`);
    return 2;
  }
  const { found } = answer;
  console.log(`${what}: ${found.length || "no"} advisories`);
  for (const line of found) console.log(`  ${line}`);
  return found.length > 0 ? 1 : 0;
}

installPipAudit();
const npm = answerOfNpm(ask("npm", ["audit", "--omit=dev", "--json"]).stdout);
const codes = [tell("packages that package-lock.json pins, without tools", npm)];
for (const name of ["requirements-server.txt", "requirements-dev.txt"]) {
  const requirements = `clients/python/${name}`;
  codes.push(tell(`packages that ${requirements} pins`, askPip(requirements)));
}
process.exitCode = codes.includes(1) ? 1 : Math.max(...codes);
