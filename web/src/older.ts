/** What is not read before the first message here: the server counts it, and says so in its answers. */
import type { Draft } from "./draft.ts";
import { numberOf, type Rows } from "./rows.ts";
import type { Answer } from "./steps.ts";
import type { RoomRecord } from "./storage/tables.ts";

/** Keep the server's counts of what is before the first messages that it was asked with. */
export async function countOlder(
  draft: Draft,
  first: ReadonlyMap<string, number>,
  answer: Answer,
): Promise<void> {
  const told = new Map(answer.rooms.map((step) => [step.room_id, step]));
  for (const [roomId, askedSeq] of first) {
    const step = told.get(roomId);
    const room = await draft.room(roomId);
    if (room === null || !room.is_here || (step === undefined && answer.more)) continue;
    if (step !== undefined) {
      const isOfRange = step.begin === null || room.first_seq === askedSeq;
      if (room.rev !== step.to || !isOfRange) continue;
    }
    // A server that counts nothing is not asked again.
    const [older_unread, older_mentions] = step?.older ?? [room.older_unread, room.older_mentions];
    await draft.change(roomId, { older_unread, older_mentions, older_counted: true });
  }
}

/** Everything before the first message here is read, from before we came in, or not there: no need to ask. */
export async function settleOlder(draft: Draft, roomId: string): Promise<void> {
  const room = await draft.room(roomId);
  if (room === null || !room.is_here) return;
  const settled = Math.max(
    numberOf(room.mark, "read_seq"),
    numberOf(room.row, "floor_seq"),
    numberOf(room.membership, "visible_after_seq"),
    numberOf(room.membership, "joined_seq"),
    numberOf(room.preferences, "cleared_seq"),
  );
  if (room.first_seq <= settled + 1) {
    await draft.change(roomId, { older_unread: 0, older_mentions: 0, older_counted: true });
  }
}

/** Tell whether unread messages changed, or went, that the copy does not have. */
export function isOlderTouched(before: RoomRecord, first: number, rows: Rows): boolean {
  const floor = numberOf(before.row, "floor_seq");
  const changed = [
    ...(rows["messages"] ?? []).map((row) => row["seq"] as number).filter((seq) => seq < first),
    ...(rows["rooms"] ?? []).map((row) => numberOf(row, "floor_seq")).filter((seq) => seq > floor),
  ];
  return Math.max(-1, ...changed) > numberOf(before.mark, "read_seq");
}
