import type { Parley } from "../src/parley.ts";
import type { RowOf, TableName, TableProgress, Where } from "../src/table_types.ts";
import { useParley, useQuery } from "./provider.ts";
import { type Loading, Query, queryOf } from "./query.ts";

/** What `useRows` returns. */
export interface RowsView<R> extends Loading {
  /** The rows in the order of their keys. */
  readonly rows: readonly R[];
  /** How far the first fetch is. */
  readonly progress: TableProgress;
}

const EMPTY: RowsView<never> = {
  rows: [],
  progress: { fetched: 0, about: 0, is_done: false, fault: null },
  isLoading: true,
};

/**
 * Rows of one of the app's own tables, all or those that equal something: `useRows("public.payments", { status: "open" })`.
 *
 * The table is one of `tables` of `createParley`.
 */
export function useRows<Name extends TableName>(
  name: Name,
  where: Where<RowOf<Name>> = {},
): RowsView<RowOf<Name>> {
  return useQuery(rowsOf(useParley(), name, where), EMPTY);
}

function rowsOf<Name extends TableName>(
  parley: Parley | null,
  name: Name,
  where: Where<RowOf<Name>>,
): Query<RowsView<RowOf<Name>>> | null {
  if (parley === null) return null;
  return queryOf(parley, `rows ${name} ${JSON.stringify(where)}`, () => {
    const table = parley.table(name);
    return new Query<RowsView<RowOf<Name>>>(parley, {
      empty: EMPTY,
      async read() {
        const [rows, progress] = await Promise.all([table.rows(where), table.progress()]);
        return { rows, progress, isLoading: false };
      },
      isAbout: (change) => change.table?.name === name,
    });
  });
}
