import { expect, test } from "vitest";

import { distinct, spellings } from "../../tests/vectors/emoji.json";
import { normalEmoji } from "../src/emoji.ts";

test.each(spellings)("the spelling %j is stored as %j", (spelled, stored) => {
  expect(normalEmoji(spelled as string)).toBe(stored);
});

test.each(distinct)("%j and %j stay different", (one, other) => {
  expect(normalEmoji(one as string)).not.toBe(normalEmoji(other as string));
});

test("what is no emoji costs nothing", () => {
  const begun = performance.now();
  normalEmoji("\u0301\u0323".repeat(500_000));
  expect(performance.now() - begun).toBeLessThan(500);
});
