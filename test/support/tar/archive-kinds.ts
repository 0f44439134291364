// Archives of every kind that people have put under a cache's name, made by the programs that make them.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeTree, noise } from "../trees/trees.ts";
import { paxHeader, rawEntry, tarEnd } from "./raw-tar.ts";

/** What a load makes of it: files by name, or the reason of a refusal. */
export type Expected =
  | { readonly files: Readonly<Record<string, string>> }
  | "ARCHIVE_CORRUPT"
  | "ARCHIVE_UNSAFE"
  | "ARCHIVE_UNSUPPORTED";

/** One kind of archive. */
export interface ArchiveKind {
  readonly what: string;
  readonly expected: Expected;
  /** Undefined where this machine lacks a program that makes it. */
  readonly content: Buffer | undefined;
}

/** The files of the tree that most kinds are made of, but for `noise`, whose content is not text. */
export const sourceFiles: Readonly<Record<string, string>> = {
  "fxgraph/ab/entry": "an entry ".repeat(2000),
  "triton/0/kernel.json": '{"name":"kernel"}',
  "triton/0/Kernel.json": '{"name":"Kernel"}',
  empty: "",
  "größe/日本語-🚀.json": "{}",
  [`${"d".repeat(120)}/${"f".repeat(150)}`]: "a long name",
};

const whole = { files: sourceFiles };
const small = { files: { "a.txt": "first", "b.txt": "second" } };
const tree = (...entries: Buffer[]) => Buffer.concat([...entries, tarEnd]);
const file = (name: string | Buffer, content = "content") => rawEntry({ name, content });
const both = tree(file("a.txt", "first"), file("b.txt", "second"));

/** Makes all kinds, with programs that work in `dir`. */
export function archiveKinds(dir: string): ArchiveKind[] {
  const source = join(dir, "source");
  makeTree(source, sourceFiles);
  mkdirSync(join(dir, "links"));
  const made: ArchiveKind[] = [];
  const kind = (what: string, expected: Expected, content: Buffer | undefined) =>
    made.push({ what, expected, content });
  /** What a shell command writes to $out; it begins in `dir`. */
  const byShell = (what: string, expected: Expected, command: string) => {
    const out = join(dir, "out");
    rmSync(out, { force: true });
    const env = { ...process.env, out, LC_ALL: "C.UTF-8" };
    const { status } = spawnSync("bash", ["-euc", command], { cwd: dir, env, stdio: "ignore" });
    kind(what, expected, status === 0 && existsSync(out) ? readFileSync(out) : undefined);
  };
  const byPython = (what: string, expected: Expected, program: string) =>
    byShell(
      what,
      expected,
      `python3 -c "$(cat <<'PY'\nimport io, os, tarfile\nout = os.environ["out"]\n${program}\nPY\n)"`,
    );

  for (const format of ["gnu", "oldgnu", "posix"]) {
    const command = `tar -c --format=${format} -C source .`;
    byShell(`plain tar, ${format}`, whole, `${command} > "$out"`);
    byShell(`tar.gz, ${format}`, whole, `${command} | gzip > "$out"`);
    byShell(`tar.zst, ${format}`, whole, `${command} | zstd -q > "$out"`);
  }
  byShell("tar of names", whole, 'cd source; tar -czf "$out" -- *');
  byShell("tar -V: a volume label", whole, 'tar -c -V "a label" -C source . | zstd -q > "$out"');
  byShell("tar -b 2048", whole, 'tar -c -b 2048 -C source . | gzip > "$out"');
  byShell("tar -g: with directories' lists", whole, 'tar -c -g none -C source . > "$out"');
  byShell("tar --xattrs --acls", whole, 'tar -c --xattrs --acls -C source . > "$out"');
  byShell("pzstd", whole, 'tar -c -C source . | pzstd -q -p 2 > "$out"');
  byShell("zstd --long=27 --ultra", whole, 'tar -c -C source . | zstd -q --long=27 > "$out"');
  byShell("zstd --no-check --rsyncable", whole, 'tar -c -C source . | zstd -q --no-check > "$out"');
  byShell(
    "gzip with zeros behind",
    whole,
    'tar -cz -C source . > "$out"; head -c 999 /dev/zero >> "$out"',
  );
  byShell("text behind the tar stream", whole, '(tar -c -C source .; echo more) | gzip > "$out"');
  byShell("a second tar behind the first", whole, '(tar -c -C source .; tar -c links) > "$out"');
  byShell(
    "tar -r: a file twice, the same",
    whole,
    'tar -cf "$out" -C source .; tar -rf "$out" -C source ./empty ./triton',
  );
  byShell(
    "tar -r: a file twice, the later one another",
    { files: { "a.txt": "second" } },
    'mkdir r; printf first > r/a.txt; tar -cf "$out" -C r .; printf second > r/a.txt; tar -rf "$out" -C r .',
  );
  byShell(
    "a hard link",
    { files: { one: "content", "sub/two": "content" } },
    'mkdir -p h/sub; printf content > h/one; ln h/one h/sub/two; tar -czf "$out" -C h one sub',
  );
  byShell(
    "a hard link with a long name, and ./ before it",
    { files: { [`${"l".repeat(140)}`]: "content", [`${"m".repeat(140)}`]: "content" } },
    `mkdir hl; printf content > hl/${"l".repeat(140)}; ln hl/${"l".repeat(140)} hl/${"m".repeat(140)}; tar -c -C hl . | zstd -q > "$out"`,
  );
  byPython(
    "Python's tarfile, PAX",
    whole,
    't = tarfile.open(out, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "for all"}); t.add("source", arcname="."); t.close()',
  );
  byPython(
    "Python's tarfile, GNU",
    whole,
    't = tarfile.open(out, "w:gz", format=tarfile.GNU_FORMAT); t.add("source", arcname="."); t.close()',
  );
  byPython(
    "odd modes, owners and times",
    small,
    `t = tarfile.open(out, "w", format=tarfile.GNU_FORMAT)
def add(name, content, **fields):
    i = tarfile.TarInfo(name); i.size = len(content); i.uid = 2**40; i.mtime = 2**34
    for k, v in fields.items(): setattr(i, k, v)
    t.addfile(i, io.BytesIO(content))
add("d", b"", type=tarfile.DIRTYPE, mode=0)
add("a.txt", b"first", mode=0o6777)
add("b.txt", b"second", mode=0)
t.close()`,
  );

  byShell("a symbolic link", "ARCHIVE_UNSAFE", 'ln -s /etc links/l; tar -czf "$out" -C links .');
  byShell("a FIFO", "ARCHIVE_UNSAFE", 'mkdir f; mkfifo f/fifo; tar -cf "$out" -C f .');
  byShell("tar -P: absolute names", "ARCHIVE_UNSAFE", 'tar -cPzf "$out" "$PWD/source"');
  byShell("tar -P: ..", "ARCHIVE_UNSAFE", 'cd source; tar -cPzf "$out" ../source/empty');
  byShell(
    "tar -S: a sparse file",
    "ARCHIVE_UNSUPPORTED",
    'mkdir s; truncate -s 1M s/f; tar -cSf "$out" -C s .',
  );
  byShell(
    "tar -S, posix",
    "ARCHIVE_UNSUPPORTED",
    'tar -cS --format=posix -C s . | zstd -q > "$out"',
  );
  byShell(
    "zstd --long=31",
    "ARCHIVE_UNSUPPORTED",
    'head -c 200000000 /dev/zero | tar -c /dev/null | cat - /dev/zero | head -c 300000000 | zstd -q -1 --long=31 > "$out"',
  );
  byShell(
    "zstd with a dictionary",
    "ARCHIVE_UNSUPPORTED",
    'mkdir t; for i in $(seq 300); do echo "{\\"kernel\\":$i,\\"name\\":\\"kernel_$i\\",\\"grid\\":[$i,1,1]}" > t/$i; done; zstd -q --train t/* -o dict --maxdict=2000; tar -c -C source . | zstd -q -D dict > "$out"',
  );
  byShell("bzip2", "ARCHIVE_UNSUPPORTED", 'tar -cjf "$out" -C source .');
  byShell("xz", "ARCHIVE_UNSUPPORTED", 'tar -cJf "$out" -C source .');
  byShell("lz4", "ARCHIVE_UNSUPPORTED", 'tar -c -C source . | lz4 -q > "$out"');
  byPython(
    "zip",
    "ARCHIVE_UNSUPPORTED",
    'import zipfile; z = zipfile.ZipFile(out, "w"); z.write("source/empty"); z.close()',
  );
  byShell(
    "a second volume",
    "ARCHIVE_UNSUPPORTED",
    'mkdir v; head -c 60000 /dev/urandom > v/f; tar -c -M -L 40 -f v1 -f "$out" -C v f',
  );
  byShell("gzip in zstd", "ARCHIVE_UNSUPPORTED", 'tar -cz -C source . | zstd -q > "$out"');
  byShell(
    "text behind gzip",
    "ARCHIVE_CORRUPT",
    'tar -cz -C source . > "$out"; echo more >> "$out"',
  );
  byShell(
    "text behind zstd",
    "ARCHIVE_CORRUPT",
    'tar -c --zstd -C source . > "$out"; echo more >> "$out"',
  );
  byShell(
    "tar without its end",
    "ARCHIVE_CORRUPT",
    'tar -c -b 1 -C source ./empty | head -c 512 | zstd -q > "$out"',
  );
  byShell("gzip of a text", "ARCHIVE_CORRUPT", 'seq 10000 | gzip > "$out"');
  byShell("zstd of a text", "ARCHIVE_CORRUPT", 'seq 10000 | zstd -q > "$out"');
  byShell("an empty tar", "ARCHIVE_CORRUPT", 'tar -cf "$out" -T /dev/null');

  const zstd = (content: Buffer) => zstdCompressSync(content);
  const link = (linkname: string) => rawEntry({ name: "l", type: "1", linkname });
  const raw: readonly (readonly [string, Expected, Buffer])[] = [
    ["v7", small, tree(v7("a.txt", "first"), v7("b.txt", "second"))],
    ["a global PAX header", small, Buffer.concat([paxHeader({ comment: "x" }, "g"), both])],
    [
      "a second file over the first",
      small,
      tree(file("a.txt", "old"), file("b.txt", "second"), file("./a.txt", "first")),
    ],
    [
      "a hard link to a file that is replaced",
      { files: { a: "new", l: "old" } },
      tree(file("a", "old"), link("a"), file("a", "new")),
    ],
    ["a hard link to itself", { files: { l: "content" } }, tree(file("l"), link("./l"))],
    ["a hard link to nothing", "ARCHIVE_UNSAFE", gzipSync(tree(file("a"), link("b")))],
    ["a hard link out", "ARCHIVE_UNSAFE", zstd(tree(link("../../etc/passwd")))],
    ["a/../b", "ARCHIVE_UNSAFE", zstd(tree(file("a/../b")))],
    [
      "a file and a directory of one name",
      "ARCHIVE_UNSAFE",
      tree(file("a"), rawEntry({ name: "a/", type: "5" })),
    ],
    ["a device", "ARCHIVE_UNSAFE", tree(rawEntry({ name: "d", type: "3" }))],
    [
      "a name that is not UTF-8",
      "ARCHIVE_UNSUPPORTED",
      tree(file(Buffer.from("caf\xe9", "latin1"))),
    ],
    ["a name with U+FFFD", "ARCHIVE_UNSUPPORTED", gzipSync(tree(file("caf\ufffd")))],
    [
      "an entry of an unknown kind",
      "ARCHIVE_UNSUPPORTED",
      tree(rawEntry({ name: "z", type: "Z" })),
    ],
    ["cpio", "ARCHIVE_UNSUPPORTED", Buffer.from(`070701${"0".repeat(500)}`)],
    ["a page of HTML", "ARCHIVE_CORRUPT", Buffer.from("<!DOCTYPE html><html>not here</html>")],
    ["an error in XML", "ARCHIVE_CORRUPT", Buffer.from('<?xml version="1.0"?><Error/>')],
    [
      "a pointer of git LFS",
      "ARCHIVE_UNSUPPORTED",
      Buffer.from("version https://git-lfs.github.com/spec/v1\n"),
    ],
    ["an empty file", "ARCHIVE_CORRUPT", Buffer.alloc(0)],
    ["zeros", "ARCHIVE_CORRUPT", Buffer.alloc(5000)],
    ["noise", "ARCHIVE_CORRUPT", noise(5000)],
    [
      "a tar with text between its files",
      "ARCHIVE_CORRUPT",
      tree(file("a"), Buffer.alloc(512, "text"), file("b")),
    ],
  ];
  for (const [what, expected, content] of raw) kind(what, expected, content);
  return made;
}

/** An entry as tar wrote it before POSIX: without a magic, and without a type. */
function v7(name: string, content: string): Buffer {
  const entry = rawEntry({ name, content, type: "\0" });
  entry.fill(0, 257, 265);
  entry.fill(0x20, 148, 156);
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return entry;
}
