import { type ReactNode, useCallback, useEffect, useState } from "react";
import type { InvitesRow, NewInvite } from "../src/api.ts";
import { useAttempt } from "./attempt.ts";
import { moment } from "./durations.ts";
import { Icon } from "./icons.tsx";
import { useClient, usePage } from "./page.ts";
import { inviteOf } from "./place.ts";
import { useShown } from "./shown.ts";

interface InvitesProps {
  readonly room_id: string;
  /** The room takes people in. */
  readonly isOpen: boolean;
}

const USES = [1, 10, 100];
const TIMES = { "1 day": "1 day", "7 days": "7 days", "30 days": "30 days" } as const;

/** Links that let people in: those that still work, and a new one. */
export function Invites({ room_id, isOpen }: InvitesProps): ReactNode {
  const { supabase } = usePage();
  const { call } = useClient();
  const { tell } = useShown();
  const { refusal, isBusy, attempt } = useAttempt();
  const [invites, setInvites] = useState<readonly InvitesRow[]>([]);
  const [uses, setUses] = useState(USES[1] as number);
  const [time, setTime] = useState<string>(TIMES["7 days"]);
  const [made, setMade] = useState<NewInvite | null>(null);

  const read = useCallback(async () => {
    const { data } = await supabase.schema("chat").from("invites").select().eq("room_id", room_id)
      .is("removed_at", null).gt("expires_at", new Date().toISOString());
    const rows = (data ?? []) as InvitesRow[];
    setInvites(rows.filter((each) => each.used_count < each.max_uses));
  }, [supabase, room_id]);
  useEffect(() => void read(), [read]);

  async function make(): Promise<void> {
    setMade(await call("create_invite", { room_id, max_uses: uses, expires_in: time }));
    await read();
  }

  async function end(invite_id: string): Promise<void> {
    await call("revoke_invite", { room_id, invite_id });
    if (made?.invite_id === invite_id) setMade(null);
    tell("The link does not work any more.");
    await read();
  }

  const link = made === null ? "" : inviteOf(made.token);
  return (
    <section aria-label="Invite links">
      <h3>Invite links</h3>
      {invites.length > 0 && (
        <ul>
          {invites.map((each) => (
            <li key={each.id} className="entry">
              <span>
                {each.used_count} of {each.max_uses} used
                <span className="soft">Until {moment(each.expires_at)}</span>
              </span>
              <button type="button" onClick={() => attempt(() => end(each.id))}>End it</button>
            </li>
          ))}
        </ul>
      )}
      {isOpen && (
        <div className="together">
          <select
            aria-label="For how many people"
            value={uses}
            onChange={(event) => setUses(Number(event.target.value))}
          >
            {USES.map((count) => (
              <option key={count} value={count}>
                {count === 1 ? "1 person" : `${count} people`}
              </option>
            ))}
          </select>
          <select
            aria-label="For how long"
            value={time}
            onChange={(event) => setTime(event.target.value)}
          >
            {Object.keys(TIMES).map((each) => <option key={each}>{each}</option>)}
          </select>
          <button type="button" disabled={isBusy} onClick={() => attempt(make)}>Make a link</button>
        </div>
      )}
      {made !== null && (
        <div className="together link">
          <input
            readOnly
            aria-label="The link"
            value={link}
            onFocus={(event) => event.target.select()}
          />
          <button
            type="button"
            className="primary"
            onClick={async () => {
              await navigator.clipboard.writeText(link);
              tell("The link was copied.");
            }}
          >
            <Icon name="copy" /> Copy
          </button>
          <p className="soft">It is shown this once. Whoever has it comes in.</p>
        </div>
      )}
      <p className="refusal" role="alert">{refusal}</p>
    </section>
  );
}
