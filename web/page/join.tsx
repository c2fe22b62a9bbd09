import { type ReactNode, useState } from "react";
import { useAttempt } from "./attempt.ts";
import { Icon } from "./icons.tsx";
import { go } from "./place.ts";
import { useClient } from "./page.ts";

/** Behind a link that invites: come in, or leave it. */
export function Join({ token }: { readonly token: string }): ReactNode {
  const { call } = useClient();
  const { refusal, isBusy, attempt } = useAttempt();
  const [isIn, setIn] = useState(false);

  async function accept(): Promise<void> {
    const { room_id } = await call("accept_invite", { token });
    setIn(true);
    go(room_id);
  }

  return (
    <main className="nothing">
      <div className="empty">
        <Icon name="person" />
        <h2>You are invited to a room</h2>
        <p className="soft">Its people see your name and picture once you are in.</p>
        <p className="refusal" role="alert">{refusal}</p>
        <div className="answers">
          <button type="button" onClick={() => go(null)}>Not now</button>
          <button
            type="button"
            className="primary"
            disabled={isBusy || isIn}
            onClick={() => attempt(accept)}
          >
            Come in
          </button>
        </div>
      </div>
    </main>
  );
}
