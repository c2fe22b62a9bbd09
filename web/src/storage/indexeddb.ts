/**
 * A copy in IndexedDB: one database for each account, one object store for each table.
 *
 * `VERSION` rises with each new table, and `upgrade` leads from every earlier one to it. A database
 * that the browser took away while it was open (somebody cleared the site's data) is opened again, empty.
 */
import {
  deleteDB,
  type IDBPDatabase,
  type IDBPIndex,
  type IDBPTransaction,
  openDB,
  unwrap,
} from "idb";
import { ParleyError } from "../errors.ts";
import type { Key, OpenStorage, Range, Reader, Storage, Writer } from "./storage.ts";
import { KEYS, type Records, type Table, TABLES } from "./tables.ts";

const VERSION = 3;
const WAIT = "Make space, or let this site keep data; until then it is tried again.";

type Running<Mode extends IDBTransactionMode> = IDBPTransaction<unknown, string[], Mode>;

/** Open the database of an account, and make it where it is new. Throws `store_unusable`, `store_too_new`. */
export const openIndexedDb: OpenStorage = async (name) => {
  let database: IDBPDatabase | null = null;
  let isClosed = false;

  async function opened(): Promise<IDBPDatabase> {
    if (isClosed) {
      throw new ParleyError("chat_closed", "The local copy was closed.", "Make another client.");
    }
    database ??= await openDB(name, VERSION, {
      upgrade,
      // Another tab deletes the copy, or a newer version of the app wants it.
      blocking: letGo,
      terminated: () => (database = null),
    });
    return database;
  }

  function letGo(): void {
    database?.close();
    database = null;
  }

  async function run<R>(
    mode: IDBTransactionMode,
    durability: "strict" | "relaxed",
    work: (tx: Running<IDBTransactionMode>) => Promise<R>,
  ): Promise<R> {
    let begun: Running<IDBTransactionMode>;
    try {
      begun = (await opened()).transaction(TABLES, mode, { durability });
    } catch (error) {
      if (!isGone(error)) throw faultOf(error);
      letGo();
      begun = (await opened().catch(refuse)).transaction(TABLES, mode, { durability });
    }
    // Told where the transaction is awaited; without this it would be told twice.
    begun.done.catch(() => undefined);
    let result: R;
    try {
      result = await work(begun);
    } catch (error) {
      try {
        begun.abort();
      } catch {
        // It has ended by itself, with what is thrown here.
      }
      throw error instanceof DOMException ? faultOf(begun.error ?? error) : error;
    }
    await begun.done.catch(refuse);
    return result;
  }

  await opened().catch(refuse);
  const storage: Storage = {
    read: (work) => run("readonly", "relaxed", (tx) => work(readerOf(tx))),
    write: (work, isStrict = false) =>
      run(
        "readwrite",
        isStrict ? "strict" : "relaxed",
        (tx) => work(writerOf(tx as unknown as Running<"readwrite">)),
      ),
    async close() {
      isClosed = true;
      letGo();
    },
    async destroy() {
      isClosed = true;
      letGo();
      await deleteDB(name).catch(refuse);
    },
  };
  return storage;
};

function upgrade(database: IDBPDatabase): void {
  for (const table of TABLES) {
    if (database.objectStoreNames.contains(table)) continue;
    const columns: readonly string[] = KEYS[table];
    const keyPath = columns.length === 1 ? (columns[0] as string) : [...columns];
    const store = database.createObjectStore(table, { keyPath });
    if (table === "messages") store.createIndex("words", "words", { multiEntry: true });
    if (table === "table_rows") store.createIndex("entries", "entries", { multiEntry: true });
  }
}

function readerOf(tx: Running<IDBTransactionMode>): Reader {
  const stores = storesOf(tx);
  return {
    get: <T extends Table>(table: T, key: Key) =>
      resultOf<Records[T] | undefined>(stores(table).get(key as IDBValidKey)),
    list: <T extends Table>(table: T, range?: Range, most?: number) =>
      resultOf<Records[T][]>(stores(table).getAll(bound(range), most)),
    count: (table, range) => resultOf(stores(table).count(bound(range) ?? undefined)),
    newest: (word, isBegun, below, roomId) => newest(tx, word, isBegun, below, roomId),
    rowsWith: (range, most) =>
      resultOf(stores("table_rows").index("entries").getAll(bound(range), most)),
  };
}

/** Nobody waits for what is written: one request that fails ends its transaction, and that is waited for. */
function writerOf(tx: Running<"readwrite">): Writer {
  const stores = storesOf(tx);
  return {
    ...readerOf(tx as unknown as Running<IDBTransactionMode>),
    async put(table, record) {
      stores(table).put(record);
    },
    async remove(table, key) {
      stores(table).delete(key as IDBValidKey);
    },
    async clear(table, range) {
      const keys = bound(range);
      if (keys === null) stores(table).clear();
      else stores(table).delete(keys);
    },
  };
}

/** The object stores of a transaction: the browser's own, because each step through idb's costs as much as a read. */
function storesOf(tx: Running<IDBTransactionMode>): (table: Table) => IDBObjectStore {
  const own = unwrap(tx) as unknown as IDBTransaction;
  const stores = new Map<Table, IDBObjectStore>();
  return (table) => {
    const store = stores.get(table) ?? own.objectStore(table);
    stores.set(table, store);
    return store;
  };
}

function resultOf<R>(request: IDBRequest): Promise<R> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as R);
    request.onerror = () => reject(request.error);
  });
}

/** The newest entry of each word that fits; the newest of those goes next. */
async function* newest(
  tx: Running<IDBTransactionMode>,
  word: string,
  isBegun: boolean,
  below: number,
  roomId: string | null,
): AsyncGenerator<Records["messages"]> {
  const store = tx.objectStore("messages");
  const index = store.index("words");
  const words = isBegun ? await wordsWith(index, word) : [word];
  const cursors = await Promise.all(
    words.map((each) =>
      index.openKeyCursor(IDBKeyRange.bound([each], [each, below], false, true), "prev")
    ),
  );
  for (;;) {
    let best = -1;
    let at = -1;
    cursors.forEach((cursor, place) => {
      const time = cursor === null ? -1 : ((cursor.key as [string, number])[1] as number);
      if (time > at) [best, at] = [place, time];
    });
    const cursor = cursors[best];
    if (cursor === undefined || cursor === null) return;
    const key = cursor.primaryKey as [string, number];
    const record = roomId === null || key[0] === roomId ? await store.get(key) : undefined;
    cursors[best] = await cursor.continue();
    if (record !== undefined) yield record as Records["messages"];
  }
}

type WordIndex = IDBPIndex<unknown, string[], "messages", "words", IDBTransactionMode>;

/** The different words that begin with some letters. */
async function wordsWith(index: WordIndex, begin: string): Promise<string[]> {
  const words: string[] = [];
  let cursor = await index.openKeyCursor(IDBKeyRange.lowerBound([begin]));
  while (cursor !== null) {
    const word = (cursor.key as [string, number])[0] as string;
    if (!word.startsWith(begin)) break;
    words.push(word);
    cursor = await cursor.continue([word, []]);
  }
  return words;
}

function bound(range?: Range): IDBKeyRange | null {
  return range === undefined
    ? null
    : IDBKeyRange.bound(range.from as IDBValidKey, range.to as IDBValidKey, false, true);
}

/** Tell whether the browser closed the connection under us. */
function isGone(error: unknown): boolean {
  return error instanceof DOMException && error.name === "InvalidStateError";
}

function refuse(error: unknown): never {
  throw faultOf(error);
}

function faultOf(error: unknown): unknown {
  if (!(error instanceof DOMException)) return error;
  if (error.name === "VersionError") {
    return new ParleyError(
      "store_too_new",
      "A newer version of this app made the local copy.",
      "Load the page again.",
    );
  }
  const detail = error.name === "QuotaExceededError"
    ? "There is no room left for the local copy."
    : `The local copy cannot be used: ${error.name}: ${error.message}.`;
  return new ParleyError("store_unusable", detail, WAIT, { cause: error });
}
