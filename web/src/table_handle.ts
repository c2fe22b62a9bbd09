/** A table of the app's own as `parley.table` gives it: what it reads with is loaded apart. */
import type { Account } from "./account.ts";
import { ParleyError } from "./errors.ts";
import type { Feed } from "./feed.ts";
import type { Row } from "./rows.ts";
import type { Reader } from "./storage/storage.ts";
import type { CopiedTable, TableChange, TableOptions } from "./table_types.ts";

type Module = typeof import("./tables.ts");

/** The tables that the app named, and what they need. */
export interface AppTables {
  readonly options: readonly TableOptions[];
  load(): Promise<Module>;
}

let loading: Promise<Module> | null = null;

/** What tables need. Throws `unreachable` where it is not in this browser and cannot be fetched. */
export function loadTables(): Promise<Module> {
  loading ??= import("./tables.ts").catch((cause: unknown) => {
    loading = null;
    throw new ParleyError(
      "unreachable",
      "The part of this app that reads tables did not load.",
      "Check the network, then try again.",
      { cause },
    );
  });
  return loading;
}

/** Throws `invalid_input` for a table that the app did not name. */
export function tableOf<R>(
  name: string,
  tables: AppTables,
  feed: Feed,
  here: () => Promise<Account>,
): CopiedTable<R> {
  if (!tables.options.some((each) => each.name === name)) {
    throw new ParleyError(
      "invalid_input",
      `${name} is not one of the tables of this client.`,
      "Name it in the option tables of createParley.",
    );
  }
  async function read<T>(work: (reads: Module, tx: Reader) => Promise<T>): Promise<T> {
    const [it, reads] = await Promise.all([here(), tables.load()]);
    return it.read((tx) => work(reads, tx));
  }
  return {
    rows: (where = {}) => read((reads, tx) => reads.readRows(tx, name, where as Row)) as never,
    get: (key) => read((reads, tx) => reads.readRow(tx, name, key)) as never,
    progress: () => read((reads, tx) => reads.readProgress(tx, name)),
    changes: () => changesOf(feed, name),
    subscribe: (listener) =>
      feed.subscribe((changes) => {
        for (const { table } of changes) if (table?.name === name) listener(table);
      }),
  };
}

function changesOf(feed: Feed, name: string): AsyncIterableIterator<TableChange> {
  const all = feed.changes();
  return {
    async next() {
      for (;;) {
        const { done, value } = await all.next();
        if (done === true) return { done, value: undefined };
        if (value.table?.name === name) return { done: false, value: value.table };
      }
    },
    async return() {
      await all.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
