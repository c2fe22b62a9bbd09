/** Pages of a room that the copy does not have, read from the server as the copy would show them. */
import type { Message } from "../src/index.ts";
import { isNumber, isText, type Row } from "../src/rows.ts";
import { messageOf } from "../src/views.ts";
import type { Server } from "./server.ts";

export const PAGE = 50;

/** Where a page is: before a message, after it, or around it. */
export type Position =
  | { readonly before: number }
  | { readonly after: number }
  | { readonly around: number };

/** Read a page, oldest first; empty where there is nothing more. Own messages have no ticks in it. */
export async function readRemote(
  server: Server,
  room_id: string,
  position: Position,
): Promise<Message[]> {
  const rows = await server.list("list_messages", { room_id, page_size: PAGE, ...position });
  return withMarks(server, room_id, rows);
}

/** Rows of `messages` as messages, with reactions and pins. */
export async function withMarks(
  server: Server,
  room_id: string,
  rows: readonly Row[],
): Promise<Message[]> {
  if (rows.length === 0) return [];
  const messages = rows.map((row) => messageIn(room_id, row));
  const seqs = messages.map(({ seq }) => seq);
  const about = (table: "reactions" | "pins") =>
    server.rows(
      server.chat.from(table).select().eq("room_id", room_id).is("removed_at", null)
        .in("seq", seqs),
    );
  const [reactions, pins] = await Promise.all([about("reactions"), about("pins")]);
  const pinned = new Set(pins.map((row) => row["seq"]));
  return messages.map((message) => ({
    ...message,
    reactions: reactionsOf(reactions.filter((row) => row["seq"] === message.seq)),
    is_pinned: pinned.has(message.seq),
  }));
}

/** A row of `messages` as a message. */
export function messageIn(room_id: string, row: Row): Message {
  return messageOf({
    room_id,
    seq: isNumber(row["seq"]) ? row["seq"] : 0,
    rev: isNumber(row["rev"]) ? row["rev"] : 0,
    sender_id: isText(row["sender_id"]) ? row["sender_id"] : "",
    at: 0,
    words: [],
    row,
  });
}

function reactionsOf(rows: readonly Row[]): { [emoji: string]: readonly string[] } {
  const reactions: { [emoji: string]: string[] } = {};
  for (const { emoji, user_id } of rows) {
    if (isText(emoji) && isText(user_id)) (reactions[emoji] ??= []).push(user_id);
  }
  return reactions;
}
