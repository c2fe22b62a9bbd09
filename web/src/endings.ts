/** What ends without being told: reactions, pins and notifications, with the messages they are about. */
import type { Draft } from "./draft.ts";
import { calls } from "./kinds.ts";
import type { Row, Rows } from "./rows.ts";
import { under } from "./storage/storage.ts";

/** What is about tombstones leaves the copy, whichever of the two came first. */
export async function endWithMessages(draft: Draft, roomId: string, rows: Rows): Promise<void> {
  const tombstones = (rows["messages"] ?? []).filter(isTombstone).map(seqOf);
  const about = new Set(
    [...(rows["reactions"] ?? []), ...(rows["pins"] ?? [])].map(seqOf),
  );
  for (const seq of new Set([...tombstones, ...about])) {
    const message = await draft.tx.get("messages", [roomId, seq]);
    if (message?.row == null || !isTombstone(message.row)) continue;
    await draft.tx.clear("reactions", under([roomId, seq]));
    await draft.tx.remove("pins", [roomId, seq]);
  }
  if (tombstones.length > 0) {
    await draft.endNotifications(
      roomId,
      (_, row) => tombstones.includes(row["message_seq"] as number),
    );
  }
}

/** Notifications of mentions that an edit took out are over; one that came later stands. */
export async function endWithEdits(
  draft: Draft,
  roomId: string,
  messages: readonly Row[],
): Promise<void> {
  const edited = messages.filter(
    (row) => (row["edited_at"] ?? null) !== null && !calls(row, draft.me),
  );
  if (edited.length === 0) return;
  await draft.endNotifications(
    roomId,
    (_, row) =>
      row["kind"] === "mention" &&
      edited.some(
        (message) =>
          seqOf(message) === row["message_seq"] &&
          isAtMost(row["message_rev"], message["rev"] as number),
      ),
  );
}

/** What a room that began anew does not show may have been deleted before. */
export async function doubtNotifications(
  draft: Draft,
  roomId: string,
  first: number,
): Promise<void> {
  const isAbove = (await draft.notifications()).some(
    ({ row }) => row?.["room_id"] === roomId && isAtMost(row["message_seq"], first - 1),
  );
  if (isAbove) draft.account = { ...draft.account, has_doubts: true };
}

function isTombstone(row: Row): boolean {
  return (row["deleted_at"] ?? null) !== null;
}

/** Tell whether a number in a row is there, and no more than this. */
export function isAtMost(value: unknown, most: number): boolean {
  return typeof value === "number" && value <= most;
}

/** The seq of a row that was checked. */
export function seqOf(row: Row): number {
  return row["seq"] as number;
}
