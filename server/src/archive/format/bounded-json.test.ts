import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { elementsOf, parseBoundedJson } from "./bounded-json.ts";

const large = "x".repeat(3000);
/** Over 1 MiB, so that it is parsed in pieces. */
const listOf = (...elements: unknown[]) =>
  Buffer.from(JSON.stringify([...elements, ...Array.from({ length: 400 }, () => large)]));
const all = (text: Buffer | string, depth = 4) => [
  ...elementsOf(Buffer.from(text as string), depth),
];

describe("the elements of a large JSON list", () => {
  it("are those of the list", () => {
    const odd = [
      ...[1, -2.5, null, true, "", "a,b", "]", '\\"', "\\\\", '\\\\"]', "ü\u2028🚀"],
      ...[[], {}, { a: [1, { b: "}" }] }, [["x"]]],
    ];
    const text = listOf(...odd);
    assert.ok(text.length > 1024 * 1024);
    assert.deepEqual(all(text), JSON.parse(text.toString()));
    const spaced = Buffer.from(` \n${text.toString().replaceAll(",", " ,  ")}\t `);
    assert.deepEqual(all(spaced), JSON.parse(spaced.toString()));
  });

  it("are refused where the text is no list", () => {
    const text = listOf().toString();
    const wrong = [
      ...["", "x".repeat(2 << 20), `"${"x".repeat(2 << 20)}"`, `{"a":${text}}`, `x${text}`],
      ...[`${text}x`, `${text}[]`, `${text},1`, text.slice(0, -1), text.slice(0, -2)],
      ...[`${text.slice(0, -1)},]`, text.replace("[", "[,"), text.replace("[", "[}")],
    ];
    for (const each of wrong)
      assert.throws(() => all(each), SyntaxError, `${each.slice(0, 20)} ${each.slice(-20)}`);
  });

  it("are no larger or deeper than allowed", () => {
    assert.throws(() => all(listOf("x".repeat(70_000))), SyntaxError);
    assert.throws(() => all(listOf(Array.from({ length: 40_000 }, () => 1))), SyntaxError);
    assert.throws(() => all(listOf([[[[[]]]]])), SyntaxError);
    assert.throws(() => all(Buffer.alloc(2 << 20, "[")), SyntaxError);
    assert.equal(all(listOf([[[]]])).length, 401);
  });

  it("of a million objects come without being in memory at once", () => {
    const text = Buffer.alloc(3 << 20, "{},");
    const list = Buffer.concat([Buffer.from("["), text, Buffer.from("{}]")]);
    let count = 0;
    for (const _ of elementsOf(list, 4)) count += 1;
    assert.equal(count, (1 << 20) + 1);
  });
});

describe("a bounded JSON text", () => {
  const bounds = { values: 10, depth: 3 };
  const parse = (text: string) => parseBoundedJson(Buffer.from(text), bounds);

  it("is parsed where it keeps its bounds", () => {
    assert.deepEqual(parse('{"a":[1,2,3],"b":"[[[[{{{{,,,,,,,,,,,,"}'), {
      a: [1, 2, 3],
      b: "[[[[{{{{,,,,,,,,,,,,",
    });
  });

  it("is refused where it does not, or is no JSON", () => {
    for (const text of ["[1,2,3,4,5,6,7,8,9,10,11]", "[[[[]]]]", "{", '"', "[1,]", ""])
      assert.throws(() => parse(text), SyntaxError, text);
  });
});
