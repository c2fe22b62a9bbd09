/** What came out of the stream since the page was opened, for the panel that shows it. */
import type { Change, Parley, Row } from "../src/index.ts";

const MOST_LINES = 8;
/** What came later than this after it was written was fetched, and says nothing about the way. */
const LATE_MS = 10_000;

/** One change of a room. */
export interface Line {
  readonly key: number;
  readonly room_id: string;
  /** The newest number in it. */
  readonly rev: number;
  /** How many rows of which kind, such as `1 message, 2 receipts`. */
  readonly rows: string;
  /** From the server's clock to this copy; null when nothing in it was said just now. */
  readonly lag_ms: number | null;
}

export interface Seen {
  readonly events: number;
  readonly lines: readonly Line[];
}

export interface Stream {
  readonly snapshot: () => Seen;
  readonly subscribe: (listener: () => void) => () => void;
}

/** Begin to watch. */
export function streamOf(parley: Parley): Stream {
  const listeners = new Set<() => void>();
  let seen: Seen = { events: 0, lines: [] };
  parley.subscribe((changes) => {
    const lines = changes
      .map(lineOf)
      .filter((each) => each !== null)
      .map((each, at) => ({ ...each, key: seen.events + at }));
    if (lines.length === 0) return;
    seen = {
      events: seen.events + lines.length,
      lines: [...lines.reverse(), ...seen.lines].slice(0, MOST_LINES),
    };
    for (const listener of listeners) listener();
  });
  return {
    snapshot: () => seen,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function lineOf({ room_id, rows }: Change): Omit<Line, "key"> | null {
  const kinds = Object.entries(rows).filter(([, some]) => some.length > 0);
  if (room_id === null || kinds.length === 0) return null;
  const revs = kinds.flatMap(([, some]) => some.map(numberOf));
  return {
    room_id,
    rev: Math.max(...revs),
    rows: kinds.map(([kind, some]) => counted(some.length, kind)).join(", "),
    lag_ms: lagOf(rows["messages"] ?? []),
  };
}

function counted(count: number, kind: string): string {
  return `${count} ${count === 1 ? kind.replace(/s$/, "") : kind}`;
}

function numberOf(row: Row): number {
  const number = row["rev"] ?? row["changed_rev"];
  return typeof number === "number" ? number : 0;
}

function lagOf(messages: readonly Row[]): number | null {
  const at = Math.max(...messages.map((row) => Date.parse(String(row["created_at"]))));
  const lag = Date.now() - at;
  return lag < LATE_MS ? Math.max(lag, 0) : null;
}
