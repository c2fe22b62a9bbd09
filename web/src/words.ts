/**
 * What is one word in a search: what `chat_private.fold_texts` does, for texts in the copy.
 *
 * `folding.json` says which characters fold. What most of them become, a browser knows: compatibility forms,
 * small letters and marks, of which Unicode changes nothing once a character has them. The table names those
 * that are left.
 */

import table from "./folding.json" with { type: "json" };

/** Words are kept up to here, in characters; what follows is looked at in the text itself. */
export const LONGEST_WORD = 250;

/** Read ranges of code points: distances, in base 36, from the end of the one before. */
function ranges(packed: string): [number, number][] {
  let end = 0;
  return packed.split(" ").map((each) => {
    const [gap = 0, length = 0] = each.split(".").map((digits) => parseInt(digits, 36));
    const first = end + gap;
    end = first + length;
    return [first, end];
  });
}

/** Return ranges as the inside of a bracket of a regular expression. */
function inside(packed: string): string {
  return ranges(packed)
    .map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`)
    .join("");
}

const ASCII = /^[\0-\x7f]*$/;
const ASCII_SEPARATORS = /[^a-z0-9]+/g;
const LETTER = new RegExp(`[A-Z${inside(table.letters)}]`, "gu");
const DROPPED = new RegExp(`[${inside(table.dropped)}]+`, "gu");
const COMPOSING = new RegExp(`[${inside(table.composing)}]`, "u");
const EMOJI = new RegExp(`[${inside(table.flags)}]{1,2}|[${inside(table.emoji)}]`, "gu");
const SEPARATORS = new RegExp(
  `[\\0-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f${inside(table.separators)}]+`,
  "gu",
);
const DENSE = new RegExp(`[${inside(table.dense)}]+`, "gu");
const IS_DENSE = new RegExp(`^[${inside(table.dense)}]`, "u");

const odd = new Map(
  table.odd.split(",").map((entry) => {
    const [letter = "", ...meant] = entry;
    return [letter, meant.join("")];
  }),
);
for (const [zero] of ranges(table.zeros)) {
  for (let digit = 0; digit < 10; digit++) odd.set(String.fromCodePoint(zero + digit), `${digit}`);
}
const letters = new Map<string, string>();

/** Return what a letter of the table is in a word. */
function foldLetter(letter: string): string {
  let folded = letters.get(letter);
  if (folded === undefined) {
    folded = odd.get(letter) ?? fold(letter);
    letters.set(letter, folded);
  }
  return folded;
}

/** Take compatibility forms, capitals and marks off until nothing changes any more. */
function fold(text: string): string {
  let plain = "";
  for (const letter of text.normalize("NFKD")) {
    for (const part of letter.toLowerCase().normalize("NFKD")) plain += odd.get(part) ?? part;
  }
  const folded = plain.replace(DROPPED, "").normalize("NFC").replace(SEPARATORS, " ");
  return folded === text ? text : fold(folded);
}

/**
 * Write a text as words apart by single spaces, each in the one form it has in a search.
 *
 * Words of scripts without spaces are not parted.
 */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase().replace(ASCII_SEPARATORS, " ");
  let folded = text.replace(DROPPED, "").replace(LETTER, foldLetter);
  if (COMPOSING.test(folded)) folded = folded.normalize("NFC");
  return folded.replace(EMOJI, " $& ").replace(DENSE, " $& ").replace(SEPARATORS, " ");
}

/** Tell whether a text begins with a script that puts no spaces between words. */
export function isDense(text: string): boolean {
  return IS_DENSE.test(text);
}

/** Return the words of a folded text. */
export function wordsOf(folded: string): string[] {
  return folded.split(" ").filter((word) => word !== "");
}

/** Cut a word where the index does. */
export function cut(word: string): string {
  return word.length <= LONGEST_WORD ? word : [...word].slice(0, LONGEST_WORD).join("");
}

/**
 * Return the words under which a text is found, each once.
 *
 * What is written without spaces becomes overlapping pairs, and its last character alone.
 */
export function lexemesOf(text: string): string[] {
  const lexemes = new Set<string>();
  for (const word of wordsOf(foldText(text))) {
    if (isDense(word)) {
      const characters = [...word];
      characters.forEach((each, place) => lexemes.add(each + (characters[place + 1] ?? "")));
    } else {
      lexemes.add(cut(word));
    }
  }
  return [...lexemes];
}
