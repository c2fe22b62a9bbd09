/** Older messages than the copy keeps: read page by page, and kept in step from then on. */
import { BatchSize } from "./batches.ts";
import { checkKind, ROOM_KINDS } from "./kinds.ts";
import type { Remote } from "./remote.ts";
import { refused, type Row } from "./rows.ts";
import { list } from "./steps.ts";
import type { Store } from "./store.ts";

const ABOUT = { reactions: "seq", pins: "seq", receipts: "up_to_seq" } as const;
const ORDER = {
  reactions: ["seq", "user_id", "emoji"],
  pins: ["seq"],
  receipts: ["user_id", "kind", "up_to_seq"],
} as const;
const PAGE_MOST = 200;
/** With more reactions or receipts than this, a page has fewer messages. One always comes whole. */
const MARKS_MOST = 5000;

/** Older messages of one copy. After a failure the next call asks for half as many. */
export class History {
  readonly #size = new BatchSize();

  constructor(
    readonly store: Store,
    readonly remote: Remote,
  ) {}

  /** Fetch messages from before the oldest one here; resolves to how many came, 0 at the beginning. */
  async load(roomId: string, pageSize: number): Promise<number> {
    try {
      const count = await this.#load(roomId, Math.min(this.#size.of(pageSize), PAGE_MOST));
      this.#size.grow();
      return count;
    } catch (error) {
      this.#size.shrink();
      throw error;
    }
  }

  async #load(roomId: string, size: number): Promise<number> {
    const before = this.store.positions.get(roomId)?.first_seq ?? 1;
    if (before <= 1) return 0;
    const lowest = Math.max(1, before - size);
    // Steps about these messages are kept from now on; what is read afterwards never replaces newer rows.
    return this.store.keepingFrom(roomId, lowest, async () => {
      const parameters = { room_id: roomId, before, page_size: size };
      // The server ends a page where it would become too long.
      let messages = list(await this.remote.call("list_messages", parameters), "messages") as Row[];
      check("messages", "seq", messages, roomId, lowest, before);
      messages = [...messages].sort((a, b) => seqOf(a) - seqOf(b));
      for (;;) {
        const [oldest] = messages;
        if (oldest === undefined) return 0;
        const first = seqOf(oldest);
        const about = await this.#about(
          roomId,
          first,
          before,
          messages.length > 1 ? MARKS_MOST : null,
        );
        if (about !== null) {
          const isDone = await this.store.extend(roomId, before, first, { ...about, messages });
          return isDone ? messages.length : 0;
        }
        messages = messages.slice((messages.length + 1) >> 1);
      }
    });
  }

  /** What there is about a span of messages; null when it is more than `most` rows of a kind. */
  async #about(
    roomId: string,
    first: number,
    before: number,
    most: number | null,
  ): Promise<Record<string, Row[]> | null> {
    const rows: Record<string, Row[]> = {};
    for (const [table, column] of Object.entries(ABOUT)) {
      const name = table as keyof typeof ABOUT;
      const span = { column, from: first, below: before };
      const some = await this.remote.select(table, roomId, span, ORDER[name], most);
      check(name, column, some, roomId, first, before);
      if (most !== null && some.length > most) return null;
      rows[table] = some;
    }
    return rows;
  }
}

/** Hold rows to what was asked for. Throws `answer_refused`. */
function check(
  table: keyof typeof ABOUT | "messages",
  column: string,
  rows: readonly Row[],
  roomId: string,
  from: number,
  below: number,
): void {
  checkKind(table, ROOM_KINDS[table], rows, Number.MAX_SAFE_INTEGER, roomId);
  if (!rows.every((row) => (row[column] as number) >= from && (row[column] as number) < below)) {
    throw refused(`there is a row of ${table} that was not asked for`);
  }
}

function seqOf(row: Row): number {
  return row["seq"] as number;
}
