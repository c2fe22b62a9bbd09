import type { RowOf } from "parley-chat";
import { useRows } from "parley-chat/react";
import { useMemo } from "react";

import { money, sumOf } from "./money.ts";

/** What is open at each company, out of all rows of the copy. */
export function Totals({ companies, open, choose }: {
  companies: readonly RowOf<"public.companies">[];
  open: string | null;
  choose: (tenant_id: string) => void;
}) {
  const payments = useRows("public.payments");
  const documents = useRows("public.documents");
  const statements = useRows("public.statements");
  const open_payments = useMemo(
    () => Map.groupBy(payments.rows.filter((each) => each.status === "open"), byTenant),
    [payments.rows],
  );
  const new_documents = useMemo(
    () => Map.groupBy(documents.rows.filter((each) => each.state === "new"), byTenant),
    [documents.rows],
  );
  const { fetched, about, is_done } = payments.progress;
  return (
    <>
      {!is_done && <progress aria-label="Payments" value={fetched} max={about} />}
      <ul className="totals">
        {companies.map(({ tenant_id, name }) => {
          const due = open_payments.get(tenant_id) ?? [];
          const own = statements.rows.filter((each) => each.tenant_id === tenant_id);
          const [newest] = own.sort((a, b) => b.month.localeCompare(a.month));
          return (
            <li key={tenant_id}>
              <button
                type="button"
                aria-pressed={tenant_id === open}
                onClick={() => choose(tenant_id)}
              >
                <h2>{name}</h2>
                <dl>
                  <dt>Open payments</dt>
                  <dd>{due.length}</dd>
                  <dt>To pay</dt>
                  <dd>{money(sumOf(due))}</dd>
                  <dt>New documents</dt>
                  <dd>{new_documents.get(tenant_id)?.length ?? 0}</dd>
                  <dt>Last statement</dt>
                  <dd>{newest ? money(newest.balance) : "none"}</dd>
                </dl>
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function byTenant({ tenant_id }: { readonly tenant_id: string }): string {
  return tenant_id;
}
