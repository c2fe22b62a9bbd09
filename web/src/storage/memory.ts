/**
 * A copy in memory: for tests, for servers, and where a browser has no IndexedDB. It ends with the tab.
 *
 * Each table is a sorted list of keys beside a map, and a transaction that throws takes back what it did.
 */
import type { Key, OpenStorage, Range, Reader, Storage, Writer } from "./storage.ts";
import { KEYS, type Records, type Table, TABLES } from "./tables.ts";

interface Entry {
  readonly key: Key;
  record: unknown;
}

/** Open a storage that is nowhere else and empty. */
export const openMemory: OpenStorage = () => Promise.resolve(memoryStorage());

function memoryStorage(): Storage {
  const tables = new Map<Table, Entry[]>(TABLES.map((table) => [table, []]));
  let turn: Promise<unknown> = Promise.resolve();
  const entries = (table: Table) => tables.get(table) as Entry[];

  const reader: Reader = {
    async get<T extends Table>(table: T, key: Key) {
      const list = entries(table);
      const entry = list[placeOf(list, key)];
      return entry !== undefined && compare(entry.key, key) === 0
        ? (entry.record as Records[T])
        : undefined;
    },
    async list<T extends Table>(table: T, range?: Range, most = Infinity) {
      const [from, to] = spanOf(entries(table), range);
      const some = entries(table).slice(from, Math.min(to, from + most));
      return some.map((entry) => entry.record as Records[T]);
    },
    async count(table, range) {
      const [from, to] = spanOf(entries(table), range);
      return to - from;
    },
    async *newest(word, isBegun, below, roomId) {
      const has = ([each]: readonly [string, number]) =>
        isBegun ? each.startsWith(word) : each === word;
      yield* entries("messages")
        .map((entry) => entry.record as Records["messages"])
        .filter((record) => roomId === null || record.room_id === roomId)
        .filter((record) => record.at < below && record.words.some(has))
        .sort((a, b) => b.at - a.at);
    },
    async rowsWith({ from, to }, most = Infinity) {
      const isIn = (entry: Key) => compare(entry, from) >= 0 && compare(entry, to) < 0;
      return entries("table_rows")
        .map((entry) => entry.record as Records["table_rows"])
        .filter((record) => record.entries.some(isIn))
        .slice(0, most);
    },
  };

  function writer(undo: (() => void)[]): Writer {
    const replace = (table: Table, from: number, count: number, put: Entry[]) => {
      const list = entries(table);
      const taken = list.splice(from, count, ...put);
      undo.push(() => list.splice(from, put.length, ...taken));
    };
    return {
      ...reader,
      async put(table, record) {
        const columns = KEYS[table] as readonly string[];
        const parts = columns.map((each) =>
          (record as unknown as Record<string, Key>)[each] as Key
        );
        const key = parts.length === 1 ? (parts[0] as Key) : parts;
        const list = entries(table);
        const place = placeOf(list, key);
        const there = list[place];
        const isThere = there !== undefined && compare(there.key, key) === 0;
        replace(table, place, isThere ? 1 : 0, [{ key, record: structuredClone(record) }]);
      },
      async remove(table, key) {
        const list = entries(table);
        const place = placeOf(list, key);
        const there = list[place];
        if (there !== undefined && compare(there.key, key) === 0) replace(table, place, 1, []);
      },
      async clear(table, range) {
        const [from, to] = spanOf(entries(table), range);
        if (to > from) replace(table, from, to - from, []);
      },
    };
  }

  /** One after the other: reads too, so that none sees half of a write. */
  function inTurn<R>(work: () => Promise<R>): Promise<R> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  return {
    read: (work) => inTurn(() => work(reader)),
    write: (work) =>
      inTurn(async () => {
        const undo: (() => void)[] = [];
        try {
          return await work(writer(undo));
        } catch (error) {
          for (const back of undo.reverse()) back();
          throw error;
        }
      }),
    close: () => Promise.resolve(),
    async destroy() {
      for (const table of TABLES) entries(table).length = 0;
    },
  };
}

/** Where a key is in a sorted list, or would be. */
function placeOf(list: readonly Entry[], key: Key): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare((list[middle] as Entry).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function spanOf(list: readonly Entry[], range?: Range): [number, number] {
  return range === undefined
    ? [0, list.length]
    : [placeOf(list, range.from), placeOf(list, range.to)];
}

/** Compare keys as IndexedDB does. */
function compare(a: Key, b: Key): number {
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  if (typeof a === "object" && typeof b === "object") {
    for (let place = 0; place < Math.min(a.length, b.length); place += 1) {
      const order = compare(a[place] as Key, b[place] as Key);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank(key: Key): number {
  return typeof key === "number" ? 0 : typeof key === "string" ? 1 : 2;
}
