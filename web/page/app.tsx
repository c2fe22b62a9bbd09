import { type ReactNode, useEffect, useState } from "react";
import { Chat } from "./chat.tsx";
import { forgetDrafts } from "./drafts.ts";
import { useClient, usePage, useStatus } from "./page.ts";
import { endPush } from "./push.tsx";
import { SignIn } from "./sign_in.tsx";

/** The chat of whoever is signed in, or the way in. */
export function App(): ReactNode {
  const page = usePage();
  const { supabase, network, person } = page;
  const parley = useClient();
  const { state, me } = useStatus();
  const [refusal, setRefusal] = useState("");
  const [isLeaving, setLeaving] = useState(false);

  // Whoever opened the page of somebody of the demo has said who they are.
  useEffect(() => {
    if (state !== "signed_out" || person === null || isLeaving) return;
    void supabase.auth.signInWithPassword(person).then(({ error }) => {
      if (error !== null) setRefusal(error.message);
    });
  }, [supabase, state, person, isLeaving]);

  // The copy is deleted before the page is left.
  useEffect(() => {
    if (isLeaving && state === "signed_out") location.replace("/");
  }, [isLeaving, state]);

  async function signOut(): Promise<void> {
    setLeaving(true);
    network.turn(false);
    if (parley.status.me !== null) forgetDrafts(parley.status.me);
    await endPush(page, parley);
    const { error } = await supabase.auth.signOut({ scope: "local" });
    if (error !== null) setLeaving(false);
  }

  if (me !== null) return <Chat onSignOut={signOut} />;
  if (state === "starting" || isLeaving || (person !== null && refusal === "")) {
    return <main aria-busy="true" aria-label="Parley" />;
  }
  return <SignIn refusal={refusal} />;
}
