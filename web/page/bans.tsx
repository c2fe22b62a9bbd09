import { type ReactNode, useCallback, useEffect, useState } from "react";
import type { BansRow } from "../src/api.ts";
import { useAttempt } from "./attempt.ts";
import { moment } from "./durations.ts";
import { Face } from "./face.tsx";
import { useClient, usePage } from "./page.ts";
import { useMembers, useNames } from "./people.ts";
import { isAhead } from "./rights.ts";
import { useShown } from "./shown.ts";

/** The people who may not come back, for moderators. */
export function Bans({ room_id }: { readonly room_id: string }): ReactNode {
  const { supabase } = usePage();
  const { call } = useClient();
  const { tell } = useShown();
  const { refusal, attempt } = useAttempt();
  const nameOf = useNames();
  const members = useMembers(room_id);
  const [bans, setBans] = useState<readonly BansRow[]>([]);

  const read = useCallback(async () => {
    const { data } = await supabase.schema("chat").from("bans").select().eq("room_id", room_id)
      .is("removed_at", null);
    const rows = (data ?? []) as BansRow[];
    setBans(rows.filter(({ until }) => until === null || isAhead(until)));
  }, [supabase, room_id]);
  // (Whoever is banned leaves the members, too.)
  useEffect(() => void read(), [read, members]);

  async function lift(user_id: string): Promise<void> {
    await call("unban_member", { room_id, user_id });
    tell(`${nameOf(user_id)} may come back.`);
    await read();
  }

  if (bans.length === 0) return null;
  return (
    <section aria-label="Banned">
      <h3>Banned</h3>
      <ul>
        {bans.map(({ user_id, until, reason }) => (
          <li key={user_id} className="entry">
            <Face user_id={user_id} name={nameOf(user_id)} />
            <span>
              {nameOf(user_id)}
              <span className="soft">
                {until === null ? "Without an end" : `Until ${moment(until)}`}
                {reason !== "" && ` · ${reason}`}
              </span>
            </span>
            <button type="button" onClick={() => attempt(() => lift(user_id))}>Lift the ban</button>
          </li>
        ))}
      </ul>
      <p className="refusal" role="alert">{refusal}</p>
    </section>
  );
}
