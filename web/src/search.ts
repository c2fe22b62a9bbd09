/** Searches in a copy: its words lead to what may match, and the texts decide. */
import { type Asked, lexemesOfParts, matches, readQuery } from "./asked.ts";
import { microsecondsOf, textOf } from "./rows.ts";
import type { Reader } from "./storage/storage.ts";
import type { MessageRecord } from "./storage/tables.ts";
import type { Message } from "./types.ts";
import { messageOf } from "./views.ts";

/** After everything that has a time. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** Messages that match, the newest first, after `before`. Throws `invalid_input`. */
export async function search(
  reader: Reader,
  query: string,
  roomId: string | null,
  pageSize: number,
  before: Message | null,
): Promise<Message[]> {
  const asked = readQuery(query);
  const last = before === null ? null : placeOfMessage(before);
  const found = new Map<string, MessageRecord>();
  for (const parts of asked) {
    for (const record of await foundBy(reader, [parts], roomId, pageSize, last)) {
      found.set(`${record.room_id} ${record.seq}`, record);
    }
  }
  return [...found.values()].sort(newestFirst).slice(0, pageSize).map(messageOf);
}

/** What one alternative finds: read by its longest word, from the newest message on. */
async function foundBy(
  reader: Reader,
  asked: Asked,
  roomId: string | null,
  pageSize: number,
  last: Place | null,
): Promise<MessageRecord[]> {
  const lexemes = lexemesOfParts(asked[0] ?? []);
  // A whole word leads to fewer messages than a beginning, and a long one to fewer than a short one.
  const [lead] = lexemes.sort(
    (a, b) => Number(a.isBegun) - Number(b.isBegun) || b.word.length - a.word.length,
  );
  if (lead === undefined) return [];
  const found = new Map<string, MessageRecord>();
  const below = last === null ? NEVER : last.at + 1;
  let oldest = NEVER;
  for await (
    const record of reader.newest(lead.word, lead.isBegun, below, roomId)
  ) {
    // Messages of one moment come in any order, so all of it is looked at.
    if (found.size >= pageSize && record.at < oldest) break;
    if (last !== null && compare(placeOf(record), last) >= 0) continue;
    if (record.row === null || !matches(asked, textOf(record.row, "body"))) continue;
    found.set(`${record.room_id} ${record.seq}`, record);
    oldest = record.at;
  }
  return [...found.values()];
}

/** Where a message is in the order of a search. */
interface Place {
  readonly at: number;
  readonly room_id: string;
  readonly seq: number;
}

function placeOf({ at, room_id, seq }: MessageRecord): Place {
  return { at, room_id, seq };
}

function placeOfMessage({ created_at, room_id, seq }: Message): Place {
  return { at: microsecondsOf(created_at), room_id, seq: seq ?? 0 };
}

function newestFirst(a: MessageRecord, b: MessageRecord): number {
  return compare(placeOf(b), placeOf(a));
}

function compare(a: Place, b: Place): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.room_id !== b.room_id) return a.room_id < b.room_id ? -1 : 1;
  return a.seq - b.seq;
}
