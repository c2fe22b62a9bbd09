/** What tables of the app's own are typed as: `tsc` fails where it is something else. */
import { expectTypeOf, test } from "vitest";

import type { RowsView } from "../react/index.ts";
import { useRows } from "../react/index.ts";
import type { Parley } from "../src/parley.ts";
import type { Row } from "../src/rows.ts";
import type {
  NamesIn,
  RowIn,
  TableChange,
  TableName,
  TableOptions,
  Where,
} from "../src/table_types.ts";

interface Payment {
  id: number;
  tenant_id: string;
  status: string;
  paid_at: string | null;
  details: { [key: string]: string } | null;
}

interface Note {
  id: string;
  body: string;
}

/** As `parley types --lang typescript` prints it. */
interface Database {
  __InternalSupabase: { PostgrestVersion: string };
  public: {
    Tables: {
      payments: { Row: Payment; Insert: Partial<Payment>; Update: Partial<Payment> };
      notes: { Row: Note; Insert: Partial<Note>; Update: Partial<Note> };
    };
    Views: Record<string, never>;
  };
  billing: { Tables: { invoices: { Row: { number: string } } } };
}

declare module "../src/table_types.ts" {
  interface Registered {
    database: Database;
  }
}

test("the names of tables are those of the database", () => {
  expectTypeOf<TableName>().toEqualTypeOf<
    "public.payments" | "public.notes" | "billing.invoices"
  >();
});

test("a table gives its rows, in the client and in the hook", () => {
  const read = (parley: Parley) => parley.table("public.payments").rows({ status: ["open"] });
  expectTypeOf(read).returns.resolves.toEqualTypeOf<Payment[]>();
  const one = (parley: Parley) => parley.table("billing.invoices").get("2026-1");
  expectTypeOf(one).returns.resolves.toEqualTypeOf<{ number: string } | null>();
  const hook = () => useRows("public.notes", { id: "a" });
  expectTypeOf(hook).returns.toEqualTypeOf<RowsView<Note>>();
  const follow = (parley: Parley) => parley.table("public.notes").changes();
  expectTypeOf(follow).returns.toEqualTypeOf<AsyncIterableIterator<TableChange>>();
});

test("what rows are compared with has the type of their columns", () => {
  expectTypeOf<{ status: "open"; paid_at: null }>().toExtend<Where<Payment>>();
  expectTypeOf<{ status: readonly ["open", "paid"] }>().toExtend<Where<Payment>>();
  expectTypeOf<{ status: 1 }>().not.toExtend<Where<Payment>>();
  expectTypeOf<{ status: null }>().not.toExtend<Where<Payment>>();
  expectTypeOf<{ details: { a: "b" } }>().not.toExtend<Where<Payment>>();
});

test("the columns of a table's options are its own", () => {
  const fits: TableOptions = {
    name: "public.payments",
    where: { status: "open" },
    newest: { column: "paid_at", days: 90 },
    indexes: ["status"],
  };
  // @ts-expect-error: there is no such table
  const other: TableOptions = { name: "public.secrets" };
  // @ts-expect-error: notes have no such column
  const column: TableOptions = { name: "public.notes", indexes: ["status"] };
  expectTypeOf([fits, other, column]).toBeArray();
});

test("without the type of a database a name is text and a row has any columns", () => {
  expectTypeOf<NamesIn<never>>().toBeString();
  expectTypeOf<RowIn<never, "public.payments">>().toEqualTypeOf<Row>();
  expectTypeOf<{ status: "open" }>().toExtend<Where<Row>>();
});
