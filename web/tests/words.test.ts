import { expect, test } from "vitest";

import folding from "../../tests/vectors/folding.json";
import vectors from "../../tests/vectors/search_terms.json";
import { lexemesOfParts, matches, readQuery } from "../src/asked.ts";
import { foldText, lexemesOf } from "../src/words.ts";

type Rows = [text: string, queries: string[]][];

const found = Object.values(vectors.found).flat() as Rows;
const missed = vectors.missed as Rows;

/** Tell whether the index leads to a text, and the text is what was asked for. */
function finds(query: string, text: string): boolean {
  const words = lexemesOf(text);
  const asked = readQuery(query);
  const isLed = asked.some((parts) =>
    lexemesOfParts(parts).every(({ word, isBegun }) =>
      words.some((each) => isBegun ? each.startsWith(word) : each === word)
    )
  );
  return isLed && matches(asked, text);
}

test("a copy finds what the table says", () => {
  const wrong = [
    ...found.flatMap(([text, queries]) => queries.filter((query) => !finds(query, text))),
    ...missed.flatMap(([text, queries]) => queries.filter((query) => finds(query, text))),
  ];
  expect(wrong).toEqual([]);
});

test.each(Object.entries(folding))(
  "every character of Unicode's plane %s folds as it does in Python",
  async (plane, digest) => {
    let text = "";
    for (let point = Number(plane) << 16; point < Number(plane) + 1 << 16; point++) {
      if (point > 0 && !(point >= 0xd800 && point < 0xe000)) {
        text += `a${String.fromCodePoint(point)}b `;
      }
    }
    const bytes = new TextEncoder().encode(foldText(text));
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    expect([...sum].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(digest);
  },
);

test("ten different words are searched for and eleven are not", () => {
  const ten = "one two three four five six seven eight nine ten";
  expect(readQuery(`${ten} ten`)).toHaveLength(1);
  expect(() => readQuery(`${ten} eleven`)).toThrow("at most 10 different words");
});

test("a query of signs alone asks for nothing", () => {
  expect(readQuery(' -!? "" ')).toEqual([]);
});

test("half a character, which no keyboard sends, is a word like another", () => {
  expect(finds("\ud83d", "broken \ud83d character")).toBe(true);
});

test("a text that is as long as many takes about as long to take apart as they do", () => {
  const said = (number: number) =>
    `Sábado às ${number}? Łódź or Praha, 東京都に住む 👍🏽 see https://example.org/a/${number} `;
  const many = Array.from({ length: 200 }, (_, number) => said(number));
  const long = many.join("");
  const fastest = (work: () => void) =>
    Math.min(...Array.from({ length: 5 }, () => {
      const begun = performance.now();
      work();
      return performance.now() - begun;
    }));
  const apart = fastest(() => many.forEach((text) => lexemesOf(text)));
  expect(fastest(() => lexemesOf(long))).toBeLessThan(10 * apart);
});
