/** A query as it was typed, read the way `chat_private.read_query` reads it. */

import { ParleyError } from "./errors.ts";
import { cut, foldText, isDense, wordsOf } from "./words.ts";

export const MOST_WORDS = 10;
const TYPED = /(-?)(?:"([^"]*)(?:"|$)|([^\s"]+))/g;

/** Words next to each other, the last of which may be a beginning. */
export interface Part {
  readonly words: string;
  readonly isExcluded: boolean;
  readonly isBegun: boolean;
}

/** A word under which a text is found, and whether it is the beginning of one. */
export interface Lexeme {
  readonly word: string;
  readonly isBegun: boolean;
}

/** What somebody looks for: alternatives of parts that must be there, or must not. */
export type Asked = readonly (readonly Part[])[];

/** Tell whether a text, as it was typed, is looked for. */
export function matches(asked: Asked, text: string): boolean {
  const folded = ` ${foldText(text)} `;
  return asked.some((parts) => parts.every((part) => isIn(part, folded)));
}

/** Tell whether a folded text between spaces has or, when it is left out, lacks this. */
function isIn({ words, isExcluded, isBegun }: Part, folded: string): boolean {
  const before = isDense(words) ? "" : " ";
  const after = isBegun || isDense(lastCharacter(words)) ? "" : " ";
  return folded.includes(before + words + after) !== isExcluded;
}

/** Return the words that every text with these parts is found under. */
export function lexemesOfParts(parts: readonly Part[]): Lexeme[] {
  return parts.filter((part) => !part.isExcluded).flatMap(lexemesOfPart);
}

function lexemesOfPart({ words, isBegun }: Part): Lexeme[] {
  const apart = wordsOf(words);
  return apart.flatMap((word, place): Lexeme[] => {
    if (!isDense(word)) {
      return [{ word: cut(word), isBegun: isBegun && place === apart.length - 1 }];
    }
    const characters = [...word];
    if (characters.length === 1) return [{ word, isBegun: true }];
    return characters
      .slice(1)
      .map((each, before) => ({ word: characters[before] + each, isBegun: false }));
  });
}

/**
 * Read a query: words, "words next to each other", `or`, and `-` before what to leave out.
 *
 * Throws `invalid_input` when it has more than ten different words.
 */
export function readQuery(query: string): Asked {
  const typed = [...query.matchAll(TYPED)]
    .map(([, minus, quoted, word]) => {
      const text = quoted || word || "";
      return { text, isExcluded: minus === "-", words: wordsOf(foldText(text)).join(" ") };
    })
    .filter(({ words }) => words !== "");
  if (new Set(typed.flatMap(({ words }) => wordsOf(words))).size > MOST_WORDS) {
    throw new ParleyError(
      "invalid_input",
      `A search has at most ${MOST_WORDS} different words.`,
      "Leave out those that matter least.",
    );
  }
  const isOpen = !foldText(query).endsWith(" ");
  const alternatives: Part[][] = [[]];
  typed.forEach(({ text, isExcluded, words }, place) => {
    const isLast = place === typed.length - 1;
    if (text.toLowerCase() === "or" && !isExcluded && place > 0 && !isLast) {
      alternatives.push([]);
    } else {
      const isBegun = isLast && isOpen && mayBeBegun(words);
      alternatives.at(-1)?.push({ words, isExcluded, isBegun });
    }
  });
  return alternatives.filter((parts) => parts.length > 0).map(meant);
}

/** One letter is no beginning, but where a character is a word or a syllable, it is. */
function mayBeBegun(words: string): boolean {
  const last = [...words.slice(words.lastIndexOf(" ") + 1)];
  return !isDense(last[0] ?? "") && (last.length > 1 || (last[0]?.codePointAt(0) ?? 0) > 0x7ff);
}

/** A minus leaves something out of what is looked for; where that is nothing, it is a sign. */
function meant(parts: readonly Part[]): readonly Part[] {
  return parts.every((part) => part.isExcluded)
    ? parts.map((part) => ({ ...part, isExcluded: false }))
    : parts;
}

function lastCharacter(text: string): string {
  return [...text].at(-1) ?? "";
}
