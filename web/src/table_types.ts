/**
 * Tables of the app's own in the copy, as an app meets them.
 *
 * ```ts
 * const parley = createParley({ supabase, name: "my-app", tables: [{ name: "public.payments" }] });
 * const open = await parley.table("public.payments").rows({ status: "open" });
 * ```
 *
 * `parley types --lang typescript` prints the type of the database. Say once that it is this app's, and the
 * names of tables and their rows are typed everywhere, in the hooks too:
 *
 * ```ts
 * declare module "parley-chat" {
 *   interface Registered {
 *     database: Database;
 *   }
 * }
 * ```
 */
import type { Row } from "./rows.ts";

/** What this app has said about itself: nothing, until it declares `database` here. */
// deno-lint-ignore no-empty-interface -- only interfaces can be added to
export interface Registered {}

/** What a column can be compared with. */
export type Scalar = string | number | boolean | null;

/** The names of the tables of a database, each with its schema. */
export type NamesIn<D> = [D] extends [never] ? string
  : { [S in keyof D & string]: NamesOf<S, TablesIn<D, S>> }[keyof D & string];

/** A row of a table of a database. */
export type RowIn<D, Name extends string> = [D] extends [never] ? Row
  : Name extends `${infer S}.${infer T}`
    ? TablesIn<D, S> extends { readonly [Key in T]: { readonly Row: infer R } } ? R : Row
  : never;

type TablesIn<D, S> = S extends keyof D ? D[S] extends { readonly Tables: infer T } ? T : never
  : never;
type NamesOf<S extends string, T> = [T] extends [never] ? never : `${S}.${keyof T & string}`;
type DatabaseOf<R> = R extends { readonly database: infer D } ? D : never;

/** The name of a table, with its schema. */
export type TableName = NamesIn<DatabaseOf<Registered>>;
/** A row of a table as the copy has it: what this account may see of it. */
export type RowOf<Name extends TableName> = RowIn<DatabaseOf<Registered>, Name>;

type ColumnOf<R> = keyof R & string;
type Comparable<V> = unknown extends V ? Scalar : Extract<V, Scalar>;

/** What rows have to equal: a value for each column, or one of several. A column that is undefined may be anything. */
export type Where<R> = {
  readonly [C in ColumnOf<R>]?: Comparable<R[C]> | readonly Comparable<R[C]>[] | undefined;
};

/** The key of a row: its value, or where it has several columns, an object of them. */
export type TableKey = Scalar | { readonly [column: string]: Scalar };

/** A table that the copy has, and which of its rows. */
export interface TableOptionsOf<Name extends string, R> {
  /** Its name with its schema, such as `public.payments`. */
  readonly name: Name;
  /** Only rows that equal this. */
  readonly where?: Where<R>;
  /** Only rows whose column is younger than so many days. */
  readonly newest?: { readonly column: ColumnOf<R>; readonly days: number };
  /**
   * The columns that `rows` is often asked with; the first of them decides which rows are looked at.
   *
   * The key, or the first of its columns, needs none.
   */
  readonly indexes?: readonly ColumnOf<R>[];
}

/** What `createParley` takes for each table. */
export type TableOptions = {
  [Name in TableName]: TableOptionsOf<Name, RowOf<Name>>;
}[TableName];

/**
 * What changed in a table: rows with these keys are new, different or gone.
 *
 * `is_fresh` tells to read all of it again; `keys` do not name everything then. `fault` is what is in the way of
 * this table now, and null when nothing is.
 */
export interface TableChange {
  readonly name: string;
  readonly keys: readonly TableKey[];
  readonly is_fresh: boolean;
  readonly fault: string | null;
}

/** How far the first fetch of a table is. */
export interface TableProgress {
  /** How many rows are here. */
  readonly fetched: number;
  /** How many there are, as the server estimates; never less than are here. */
  readonly about: number;
  /** All rows are here. */
  readonly is_done: boolean;
  /** What is in the way, as a sentence; null when nothing is. */
  readonly fault: string | null;
}

/** A table of the app's own in the copy. What is read comes from the copy, with or without a network. */
export interface CopiedTable<R> {
  /** The rows, or those that equal something, in the order of their keys. */
  rows(where?: Where<R>): Promise<R[]>;
  /** The row with a key: a value, or an object where the key has several columns. Null when the copy has none. */
  get(key: TableKey): Promise<R | null>;
  /** How far the first fetch is. */
  progress(): Promise<TableProgress>;
  /** What changes in it from now on; ends with `close`. */
  changes(): AsyncIterableIterator<TableChange>;
  /** Call a function with what changed; returns how to stop that. */
  subscribe(listener: (change: TableChange) => void): () => void;
}
