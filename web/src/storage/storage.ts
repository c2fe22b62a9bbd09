/**
 * Where a copy is kept: IndexedDB in a browser, memory in tests and on servers, an adopter's own elsewhere.
 *
 * A storage keeps records in tables, each under the key that its columns make, and runs work in transactions.
 * Keys are compared as IndexedDB compares them: numbers, then text, then lists, and lists element by element.
 * To write one of your own (for SQLite in React Native, say), implement `Storage` and pass it to `createParley`
 * as `storage`; the tests in `web/tests/storage.test.ts` say what it has to do.
 */
import type { Records, Table } from "./tables.ts";

export type Key = number | string | readonly Key[];

/** Keys from `from` on, below `to`. */
export interface Range {
  readonly from: Key;
  readonly to: Key;
}

/** All keys that begin with these columns, and where it is given, at a number from `first` below `last`. */
export function under(prefix: readonly Key[], first?: number, last?: number): Range {
  return {
    from: first === undefined ? prefix : [...prefix, first],
    to: [...prefix, last === undefined ? [] : last],
  };
}

/** What can be done in a transaction that reads. */
export interface Reader {
  /** The record under a key. */
  get<T extends Table>(table: T, key: Key): Promise<Records[T] | undefined>;
  /** The records of a range, or all, in the order of their keys; the first `most` of them. */
  list<T extends Table>(table: T, range?: Range, most?: number): Promise<Records[T][]>;
  /** How many records there are in a range, or at all. */
  count(table: Table, range?: Range): Promise<number>;
  /**
   * The messages that have a word, or one that begins with it, by `at`, the newest first, below `below`, of
   * one room or of all.
   *
   * A message may come more than once.
   */
  newest(
    word: string,
    is_begun: boolean,
    below: number,
    room_id: string | null,
  ): AsyncIterable<Records["messages"]>;
  /** The `table_rows` that have one of their `entries` in a range, each once; `most` of them. */
  rowsWith(range: Range, most?: number): Promise<Records["table_rows"][]>;
}

/** What can be done in a transaction that writes. */
export interface Writer extends Reader {
  /** Write a record in the place of the one under its key. Throws for one that cannot be kept. */
  put<T extends Table>(table: T, record: Records[T]): Promise<void>;
  /** Delete the record under a key. */
  remove(table: Table, key: Key): Promise<void>;
  /** Delete the records of a range, or all. */
  clear(table: Table, range?: Range): Promise<void>;
}

/**
 * One copy. Work in a transaction awaits nothing but what its transaction gives it.
 *
 * What goes wrong is a `ParleyError` with the slug `store_unusable` (it may work later: a full disk), `store_too_new`
 * or `chat_closed`.
 */
export interface Storage {
  /** Read, with one state of all tables. */
  read<R>(work: (reader: Reader) => Promise<R>): Promise<R>;
  /**
   * Write all or nothing: nothing if the work throws. Writers come one after the other.
   *
   * `is_strict` waits until it is on the disk, so that it outlives a loss of power.
   */
  write<R>(work: (writer: Writer) => Promise<R>, is_strict?: boolean): Promise<R>;
  /** Let go of it; what is kept stays. */
  close(): Promise<void>;
  /** Let go of it and delete all that is kept. */
  destroy(): Promise<void>;
}

/** Opens the storage of one account under a name, and makes it where it is new. */
export type OpenStorage = (name: string) => Promise<Storage>;
