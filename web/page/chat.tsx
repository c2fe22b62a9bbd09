import { type ReactNode, useEffect } from "react";
import { useUnread } from "../react/index.ts";
import { Beside } from "./beside.tsx";
import { Heart } from "./heart.ts";
import { Join } from "./join.tsx";
import { lazily } from "./lazily.tsx";
import { usePlace } from "./place.ts";
import { Room } from "./room.tsx";
import { ShownContext, useShownState } from "./shown.ts";
import { Side } from "./side.tsx";

const StreamPanel = lazily(async () => (await import("./stream_panel.tsx")).StreamPanel);

/** Rooms on one side, the open one on the other; on a phone one of them at a time. */
export function Chat({ onSignOut }: { readonly onSignOut: () => Promise<void> }): ReactNode {
  const { room_id, seq, token } = usePlace();
  const { unread } = useUnread();
  const shown = useShownState();
  const isOpen = room_id !== null || token !== null;

  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Parley` : "Parley";
  }, [unread]);

  return (
    <ShownContext value={shown}>
      <div className={isOpen ? "chat has-room" : "chat"}>
        <Heart open={room_id} />
        <Side open={room_id} />
        {token !== null && <Join token={token} />}
        {!isOpen && (
          <main className="nothing">
            <p>Choose a room.</p>
          </main>
        )}
        {room_id !== null && <Room key={room_id} room_id={room_id} seq={seq} />}
        {shown.panel === "stream" && <StreamPanel onClose={() => shown.toggle("stream")} />}
        <Beside room_id={room_id} onSignOut={onSignOut} />
      </div>
    </ShownContext>
  );
}
