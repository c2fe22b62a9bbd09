/**
 * One spelling per emoji: what `chat_private.normal_emoji` does, for reactions not sent yet.
 *
 * The stored form is what emoji keyboards send, which Unicode calls fully qualified: composed (NFC), with U+FE0F
 * exactly behind what would else be shown as text.
 */

/** Longer than any emoji, in characters; composing takes time that grows with the square of the length. */
const LONGEST = 40;

/** Variation selectors and other marks that show nothing. */
const SHAPELESS = /[\u034f\u1160\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

/** Emoji=Yes and Emoji_Presentation=No, without the digits, which are emoji in keycaps only. */
const TEXT_BY_DEFAULT =
  "\\u00a9\\u00ae\\u203c\\u2049\\u2122\\u2139\\u2194-\\u2199\\u21a9-\\u21aa\\u2328\\u23cf" +
  "\\u23ed-\\u23ef\\u23f1-\\u23f2\\u23f8-\\u23fa\\u24c2\\u25aa-\\u25ab\\u25b6\\u25c0" +
  "\\u25fb-\\u25fc\\u2600-\\u2604\\u260e\\u2611\\u2618\\u261d\\u2620\\u2622-\\u2623\\u2626" +
  "\\u262a\\u262e-\\u262f\\u2638-\\u263a\\u2640\\u2642\\u265f-\\u2660\\u2663\\u2665-\\u2666" +
  "\\u2668\\u267b\\u267e\\u2692\\u2694-\\u2697\\u2699\\u269b-\\u269c\\u26a0\\u26a7" +
  "\\u26b0-\\u26b1\\u26c8\\u26cf\\u26d1\\u26d3\\u26e9\\u26f0-\\u26f1\\u26f4\\u26f7-\\u26f9" +
  "\\u2702\\u2708-\\u2709\\u270c-\\u270d\\u270f\\u2712\\u2714\\u2716\\u271d\\u2721" +
  "\\u2733-\\u2734\\u2744\\u2747\\u2763-\\u2764\\u27a1\\u2934-\\u2935\\u2b05-\\u2b07\\u3030" +
  "\\u303d\\u3297\\u3299\\u{1f170}-\\u{1f171}\\u{1f17e}-\\u{1f17f}\\u{1f202}\\u{1f237}" +
  "\\u{1f321}\\u{1f324}-\\u{1f32c}\\u{1f336}\\u{1f37d}\\u{1f396}-\\u{1f397}" +
  "\\u{1f399}-\\u{1f39b}\\u{1f39e}-\\u{1f39f}\\u{1f3cb}-\\u{1f3ce}\\u{1f3d4}-\\u{1f3df}" +
  "\\u{1f3f3}\\u{1f3f5}\\u{1f3f7}\\u{1f43f}\\u{1f441}\\u{1f4fd}\\u{1f549}-\\u{1f54a}" +
  "\\u{1f56f}-\\u{1f570}\\u{1f573}-\\u{1f579}\\u{1f587}\\u{1f58a}-\\u{1f58d}\\u{1f590}" +
  "\\u{1f5a5}\\u{1f5a8}\\u{1f5b1}-\\u{1f5b2}\\u{1f5bc}\\u{1f5c2}-\\u{1f5c4}" +
  "\\u{1f5d1}-\\u{1f5d3}\\u{1f5dc}-\\u{1f5de}\\u{1f5e1}\\u{1f5e3}\\u{1f5e8}\\u{1f5ef}\\u{1f5f3}" +
  "\\u{1f5fa}\\u{1f6cb}\\u{1f6cd}-\\u{1f6cf}\\u{1f6e0}-\\u{1f6e5}\\u{1f6e9}\\u{1f6f0}\\u{1f6f3}";

const UNQUALIFIED = new RegExp(
  `^[0-9#*](?=\\u20e3$)|[${TEXT_BY_DEFAULT}](?![\\u{1f3fb}-\\u{1f3ff}])`,
  "gu",
);

/** Spell an emoji the one way it is stored; what is no emoji is only composed. */
export function normalEmoji(value: string): string {
  if (value.length > 2 * LONGEST || [...value].length > LONGEST) return value;
  return value.replace(SHAPELESS, "").normalize("NFC").replace(UNQUALIFIED, "$&\ufe0f");
}
