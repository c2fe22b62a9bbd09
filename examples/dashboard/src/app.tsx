import { useRows } from "parley-chat/react";
import { useState, useSyncExternalStore } from "react";

import { Company } from "./company.tsx";
import { Lately } from "./lately.tsx";
import { parley, supabase } from "./parley.ts";
import { SignIn } from "./sign_in.tsx";
import { Totals } from "./totals.tsx";

const WORDS = {
  starting: "…",
  signed_out: "signed out",
  offline: "no network: this is what was here last",
  polling: "up to date every 5 seconds",
  live: "live",
  closed: "closed",
};

export function App() {
  const status = useSyncExternalStore(parley.subscribe, () => parley.status);
  if (status.state === "starting") return null;
  if (status.me === null) return <SignIn />;
  return (
    <>
      <header>
        <h1>Books</h1>
        <p role="status" className={status.state}>{WORDS[status.state]}</p>
        <button type="button" onClick={() => void supabase.auth.signOut()}>Sign out</button>
      </header>
      <Books />
    </>
  );
}

function Books() {
  const { rows: companies, isLoading } = useRows("public.companies");
  const [chosen, setChosen] = useState<string | null>(null);
  if (isLoading) return null;
  const open = companies.find((each) => each.tenant_id === chosen) ?? companies[0];
  return (
    <main>
      <Totals companies={companies} open={open?.tenant_id ?? null} choose={setChosen} />
      <Lately />
      {open && <Company key={open.tenant_id} company={open} />}
    </main>
  );
}
