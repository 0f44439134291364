import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { Header, Pax } from "tar";
import { encodeTarHeader, tarPadding, tarTrailer } from "./tar-header.ts";

const entry = (name: string, size = 0) => ({ name, size, mode: 0o644, mtime: 1_700_000_000 });

/** Names of every length around the edges of ustar, with slashes in many places. */
function names(): string[] {
  const edges = [1, 99, 100, 101, 154, 155, 156, 157, 200, 255, 256, 257, 300, 511, 512, 513, 1000];
  const made = edges.flatMap((length) => {
    const plain = "n".repeat(length);
    const withSlashAt = (at: number) => `${plain.slice(0, at)}/${plain.slice(at + 1)}`;
    const slashes = [1, 50, 99, 100, 101, 155, 156].filter((at) => at < length - 1);
    return [plain, ...slashes.map(withSlashAt), `${"ü".repeat(length >> 1)}x`];
  });
  return [...new Set([...made, ...made.map((name) => `d${name}/`)])];
}

describe("a tar header", () => {
  it("says to GNU tar the name that it was made of", () => {
    const expected = names().filter((name) => name.split("/").every((part) => part.length <= 1000));
    const stream = Buffer.concat([
      ...expected.map((name) => encodeTarHeader(entry(name))),
      tarTrailer,
    ]);
    const listed = execFileSync("tar", ["-t", "--quoting-style=literal"], {
      input: stream,
      encoding: "utf8",
      maxBuffer: 1 << 26,
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    assert.deepEqual(listed.split("\n").slice(0, -1), expected);
  });

  it("says the same to node-tar", () => {
    for (const name of names()) {
      const encoded = encodeTarHeader(entry(name, name.endsWith("/") ? 0 : 12_345));
      const isPax = encoded.length > 512;
      const extended = isPax
        ? Pax.parse(
            encoded.subarray(512, 512 + (new Header(encoded).size ?? 0)).toString(),
            undefined,
          )
        : undefined;
      const header = new Header(encoded, encoded.length - 512, extended);
      assert.ok(header.cksumValid);
      assert.equal(header.path, name);
      assert.equal(header.size, name.endsWith("/") ? 0 : 12_345);
      assert.equal(header.type, name.endsWith("/") ? "Directory" : "File");
      assert.equal(header.mtime?.getTime(), 1_700_000_000_000);
    }
  });

  it("says sizes beyond 8 GiB, times and modes to Python", (t) => {
    const cases = [0, 1, 2 ** 33 - 1, 2 ** 33, 2 ** 40].map((size, i) => ({
      ...entry(`f${i}`, size),
      mode: i % 2 ? 0o755 : 0o644,
      mtime: i * 1_000_000_000,
    }));
    const program = `
import io, json, sys, tarfile
for text in json.load(sys.stdin):
    info = tarfile.open(fileobj=io.BytesIO(bytes.fromhex(text) + bytes(1024))).next()
    print(json.dumps({"name": info.name, "size": info.size, "mode": info.mode, "mtime": info.mtime}))`;
    const headers = cases.map((each) => encodeTarHeader(each).toString("hex"));
    const { status, stdout, stderr } = spawnSync("python3", ["-c", program], {
      input: JSON.stringify(headers),
      encoding: "utf8",
    });
    if (status === null) return t.skip("needs python3");
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
      cases,
    );
  });

  it("is the same for the same entry, always", () => {
    for (const name of names())
      assert.ok(encodeTarHeader(entry(name)).equals(encodeTarHeader(entry(name))));
  });

  it("has room for any entry where frames are planned", () => {
    const longest = encodeTarHeader(entry("ü".repeat(2048), 2 ** 40));
    assert.ok(longest.length <= 16 * 1024 - 512, `${longest.length} bytes`);
  });
});

describe("tarPadding", () => {
  it("fills up to a block", () => {
    const paddings = [0, 1, 511, 512, 513, 1024].map(tarPadding);
    assert.deepEqual(paddings, [0, 511, 1, 0, 511, 0]);
  });
});
