import type { ReactNode } from "react";
import type { PreferencesRow } from "../src/index.ts";
import { Icon } from "./icons.tsx";
import { isAhead } from "./rights.ts";

/** How this person wants a room, as small signs behind its name. */
export function RoomMarks(
  { preferences }: { readonly preferences: PreferencesRow | null },
): ReactNode {
  if (preferences === null) return null;
  const isQuiet = preferences.notify === "none" || isAhead(preferences.snoozed_until);
  return (
    <>
      {preferences.pinned && (
        <span className="mark" title="Kept on top">
          <Icon name="pin" />
          <span className="unseen">kept on top</span>
        </span>
      )}
      {isQuiet && (
        <span className="mark" title="Notifications are off">
          <Icon name="quiet" />
          <span className="unseen">notifications are off</span>
        </span>
      )}
    </>
  );
}
