import type { RowOf } from "parley-chat";
import { useRows } from "parley-chat/react";
import { useState } from "react";

import { money } from "./money.ts";
import { supabase } from "./parley.ts";

const MOST = 50;

/** The lists of one company. */
export function Company({ company }: { company: RowOf<"public.companies"> }) {
  const { tenant_id, name } = company;
  return (
    <section aria-label={name} className="lists">
      <Payments tenant_id={tenant_id} />
      <Documents tenant_id={tenant_id} />
    </section>
  );
}

function Payments({ tenant_id }: { tenant_id: string }) {
  const { rows } = useRows("public.payments", { tenant_id, status: "open" });
  const [trouble, setTrouble] = useState("");

  /** Written where it always was; the copy hears of it like everybody else. */
  async function pay(id: number) {
    const { error } = await supabase.from("payments").update({ status: "paid" }).eq("id", id);
    setTrouble(error?.message ?? "");
  }

  const due = rows.toSorted((a, b) => a.due_on.localeCompare(b.due_on) || a.id - b.id);
  return (
    <table>
      <caption>Open payments</caption>
      <thead>
        <tr>
          <th>Due</th>
          <th>To</th>
          <th>Amount</th>
          <th>{trouble}</th>
        </tr>
      </thead>
      <tbody>
        {due.slice(0, MOST).map(({ id, due_on, payee, amount }) => (
          <tr key={id}>
            <td>{due_on}</td>
            <td>{payee}</td>
            <td>{money(amount)}</td>
            <td>
              <button type="button" onClick={() => void pay(id)}>Paid</button>
            </td>
          </tr>
        ))}
      </tbody>
      {due.length > MOST && (
        <tfoot>
          <tr>
            <td colSpan={4}>and {due.length - MOST} more</td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}

function Documents({ tenant_id }: { tenant_id: string }) {
  const { rows } = useRows("public.documents", { tenant_id, state: ["new", "read"] });
  return (
    <table>
      <caption>Documents to book</caption>
      <thead>
        <tr>
          <th>Received</th>
          <th>Title</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, received_at, title, state }) => (
          <tr key={id}>
            <td>{received_at.slice(0, 10)}</td>
            <td>{title}</td>
            <td>{state}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
