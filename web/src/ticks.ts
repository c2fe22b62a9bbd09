/**
 * How far own messages have come.
 *
 * A message waits for the people who are here and were when it was said, and for people who acknowledged it
 * before they left, but for no bots. The first receipt that reaches a message decides.
 */
import { numberOf } from "./rows.ts";
import type { MemberRecord, ReceiptRecord } from "./storage/tables.ts";

export type Tick = "sent" | "delivered" | "read";

/**
 * The tick of each seq of own messages.
 *
 * `members` and `receipts` are those of the room, receipts from the first of these messages on.
 */
export function ticksOf(
  seqs: readonly number[],
  members: readonly MemberRecord[],
  receipts: readonly ReceiptRecord[],
  isNobody: (userId: string) => boolean,
): Map<number, Tick> {
  const acknowledging = new Set(
    receipts.map((each) => each.user_id).filter((each) => !isNobody(each)),
  );
  const here = new Map(
    members
      .filter(({ row, user_id }) =>
        row !== null && (row["left_at"] ?? null) === null && !isNobody(user_id)
      )
      .map(({ row, user_id }) => [user_id, numberOf(row, "joined_seq")]),
  );
  // One person here who has acknowledged nothing settles every message that waits for them.
  const silent = Math.min(
    ...[...here].filter(([userId]) => !acknowledging.has(userId)).map(([, joined]) => joined),
  );
  const reached = (userId: string, kind: string, seq: number): boolean => {
    const first = receipts
      .filter((each) => each.user_id === userId && each.kind === kind && each.up_to_seq >= seq)
      .reduce<ReceiptRecord | null>(
        (least, each) => (least === null || each.up_to_seq < least.up_to_seq ? each : least),
        null,
      );
    return first !== null && numberOf(first.row, "joined_seq") < seq;
  };
  return new Map(
    seqs.map((seq) => {
      if (seq > silent) return [seq, "sent"];
      let least: number | null = null;
      for (const userId of acknowledging) {
        const joined = here.get(userId);
        const hasRead = reached(userId, "read", seq);
        const hasReceived = reached(userId, "delivered", seq);
        const isAwaited = joined !== undefined && joined < seq;
        if (!isAwaited && !hasRead && !hasReceived) continue;
        least = Math.min(least ?? 2, hasRead ? 2 : hasReceived ? 1 : 0);
      }
      return [seq, (["sent", "delivered", "read"] as const)[least ?? 0] as Tick];
    }),
  );
}
