import type { ReactNode } from "react";
import type { Room } from "../src/index.ts";
import { useAttempt } from "./attempt.ts";
import { Select, Switch } from "./choose.tsx";
import { moment } from "./durations.ts";
import { isAhead } from "./rights.ts";
import { useClient } from "./page.ts";

const NOTIFY = { all: "Every message", mentions: "Mentions only", none: "Nothing" } as const;
const HOUR_MS = 3_600_000;
/** A moment that has passed ends a pause. */
const ENDED = "-infinity";

/** How this person wants the room; nobody else sees it. */
export function RoomChoices({ room }: { readonly room: Room }): ReactNode {
  const { call } = useClient();
  const { refusal, attempt } = useAttempt();
  const { notify, snoozed_until, pinned, archived } = room.preferences ?? DEFAULTS;
  const isPaused = isAhead(snoozed_until);
  const set = (args: object) =>
    attempt(() => call("set_room_preferences", { room_id: room.id, ...args }));
  const pauses = {
    "": isPaused && snoozed_until !== null ? `Until ${moment(snoozed_until)}` : "No",
    ...(isPaused ? { [ENDED]: "End it" } : {}),
    1: "For 1 hour",
    8: "For 8 hours",
    168: "For 7 days",
  };

  return (
    <section aria-label="For you">
      <h3>For you</h3>
      <Select
        label="Notify me of"
        options={NOTIFY}
        value={notify}
        onChoose={(next) => set({ notify: next })}
      />
      <Select<string>
        label="Pause notifications"
        options={pauses}
        value=""
        onChoose={(hours) =>
          set({
            snoozed_until: hours === ENDED
              ? ENDED
              : new Date(Date.now() + Number(hours) * HOUR_MS).toISOString(),
          })}
      />
      <Switch
        label="Keep on top"
        value={pinned}
        onChoose={(isOn) => set({ pinned: isOn })}
      />
      <Switch
        label="Put away"
        hint="It stands below the other rooms"
        value={archived}
        onChoose={(isOn) => set({ archived: isOn })}
      />
      <p className="refusal" role="alert">{refusal}</p>
    </section>
  );
}

const DEFAULTS = { notify: "all", snoozed_until: null, pinned: false, archived: false } as const;
