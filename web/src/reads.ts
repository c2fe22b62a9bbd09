/** Reads of the copy. They need no network; what they return is told in `Parley`. */
import { type Around, isFolded, overlayOf, readAround, readBlocked } from "./around.ts";
import { type Reader, under } from "./storage/storage.ts";
import type { RoomRecord } from "./storage/tables.ts";
import { ticksOf } from "./ticks.ts";
import type { MemberRow, Message, Notification, ProfileRow } from "./types.ts";
import { memberOf, messageOf, notificationOf, profileOf } from "./views.ts";

/** A page, oldest first, that ends below seq `before` or with what waits to be sent. */
export async function readMessages(
  reader: Reader,
  me: string,
  roomId: string,
  before: number | null,
  pageSize: number,
): Promise<Message[]> {
  const around = await readAround(reader, me);
  const room = await reader.get("rooms", roomId);
  const overlay = overlayOf(around, roomId);
  const shown: Message[] = [];
  if (room?.is_here) {
    const below = Math.min(before ?? Infinity, room.last_seq + 1);
    const first = Math.max(room.first_seq, below - pageSize);
    if (first < below) shown.push(...(await readSpan(reader, room, around, first, below)));
  }
  const page = shown.map((message) => overlay.on(message));
  if (before === null) page.push(...overlay.unnumbered());
  return page.slice(Math.max(page.length - pageSize, 0));
}

/** The people who are in a room. */
export async function readMembers(reader: Reader, roomId: string): Promise<MemberRow[]> {
  const rows = (await reader.list("members", under([roomId]))).map((each) => memberOf(each.row));
  return rows.filter((row) => row !== null && (row.left_at ?? null) === null) as MemberRow[];
}

/** Everybody of whom the copy has a profile, by id. */
export async function readPeople(reader: Reader): Promise<ProfileRow[]> {
  const rows = (await reader.list("profiles")).map((each) => profileOf(each.row));
  return rows.filter((row) => row !== null);
}

/** The newest notifications that are not over, newest first. */
export async function readNotifications(reader: Reader, pageSize: number): Promise<Notification[]> {
  const readSeq = (await reader.get("account", 1))?.notifications_read_seq ?? 0;
  return (await reader.list("notifications"))
    .reverse()
    .map((each) => notificationOf(each.row, readSeq))
    .filter((each) => each !== null)
    .slice(0, pageSize);
}

/** Messages of a room that were found, as they should be shown. */
export async function foldedIn(reader: Reader, messages: readonly Message[]): Promise<Message[]> {
  const blocked = new Set(await readBlocked(reader));
  return Promise.all(
    messages.map(async (message) => {
      const room = blocked.has(message.sender_id)
        ? await reader.get("rooms", message.room_id)
        : null;
      return { ...message, is_folded: room?.row?.["kind"] === "group" };
    }),
  );
}

/** Messages of a span that is here, with reactions, pins and ticks. */
async function readSpan(
  reader: Reader,
  room: RoomRecord,
  around: Around,
  first: number,
  below: number,
): Promise<Message[]> {
  const { me } = around;
  const span = under([room.room_id], first, below);
  const messages = (await reader.list("messages", span)).map(messageOf);
  const reactions = new Map<number, Record<string, string[]>>();
  for (const { seq, emoji, user_id, row } of await reader.list("reactions", span)) {
    if (row === null || (row["removed_at"] ?? null) !== null) continue;
    // (Without what every object has: an emoji may be called "constructor".)
    const there = reactions.get(seq) ?? Object.create(null) as Record<string, string[]>;
    (there[emoji] ??= []).push(user_id);
    reactions.set(seq, there);
  }
  const pins = await reader.list("pins", span);
  const pinned = new Set(
    pins.filter(({ row }) => row !== null && (row["removed_at"] ?? null) === null).map((pin) =>
      pin.seq
    ),
  );
  const mine = messages.filter((message) => message.sender_id === me && message.kind === "text");
  const ticks = await readTicks(reader, room.room_id, me, mine.map((message) => message.seq ?? 0));
  return messages.map((message) => ({
    ...message,
    state: ticks.get(message.seq ?? 0) ?? "sent",
    reactions: sorted(reactions.get(message.seq ?? 0) ?? {}),
    is_pinned: pinned.has(message.seq ?? 0),
    is_folded: isFolded(room, message.sender_id, around),
  }));
}

async function readTicks(
  reader: Reader,
  roomId: string,
  me: string,
  seqs: readonly number[],
): Promise<ReturnType<typeof ticksOf>> {
  const isOther = (each: { readonly user_id: string }) => each.user_id !== me;
  if (seqs.length === 0) return new Map();
  const receipts = (await reader.list("receipts", under([roomId], Math.min(...seqs)))).filter(
    isOther,
  );
  // Where nobody has acknowledged anything, everything is sent.
  if (receipts.length === 0) return new Map();
  const members = (await reader.list("members", under([roomId]))).filter(isOther);
  const people = [...new Set([...receipts, ...members].map((each) => each.user_id))];
  const profiles = await Promise.all(people.map((each) => reader.get("profiles", each)));
  const bots = new Set(people.filter((_, place) => profiles[place]?.row["is_bot"] === true));
  return ticksOf(seqs, members, receipts, (userId) => bots.has(userId));
}

function sorted(
  reactions: Readonly<Record<string, string[]>>,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(reactions).map(([emoji, people]) => [emoji, people.sort()]),
  );
}
