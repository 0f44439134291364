// Imported before a program in TypeScript, and plain JavaScript itself, as an older Node cannot read TypeScript.

const neededMajor = 24;
if (Number.parseInt(process.versions.node, 10) < neededMajor) {
  console.error(
    `This needs Node ${neededMajor} or newer, and this is ${process.version} (${process.execPath}). ` +
      "On Linux with glibc, on x64 and arm64, npm ci brings one, unless it leaves out optional dependencies.",
  );
  process.exit(1);
}
