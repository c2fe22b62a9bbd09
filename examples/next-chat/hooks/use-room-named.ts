import { useEffect, useState } from "react";
import { createClient } from "@/lib/supabase/client";
import { useStatus } from "./use-status";

const REMEMBERED = "next-chat-room";

interface RoomNamed {
  /** The id of the room; null until it is known. */
  room_id: string | null;
  /** Why there is none. */
  refusal: string;
}

const UNKNOWN: RoomNamed = { room_id: null, refusal: "" };

/**
 * Find the room of this name, join it, and open it if nobody has: `open_room` of rooms.sql does.
 *
 * This browser remembers the id until somebody signs out, so that the room is found without a network too.
 */
export function useRoomNamed(name: string): RoomNamed {
  const [found, setFound] = useState(UNKNOWN);
  const status = useStatus();
  const me = status?.me ?? null;
  const isReachable = status?.state === "live" || status?.state === "polling";

  useEffect(() => {
    const key = `${REMEMBERED}:${me}:${name}`;
    const remembered = me === null ? null : localStorage.getItem(key);
    setFound(remembered === null ? UNKNOWN : { room_id: remembered, refusal: "" });
    if (me === null || !isReachable) return;
    let isWanted = true;
    void createClient().rpc("open_room", { name }).then(({ data, error, status }) => {
      // No answer: this runs again when the server can be reached again.
      if (!isWanted || status === 0) return;
      if (error === null) localStorage.setItem(key, data);
      else localStorage.removeItem(key);
      setFound({ room_id: data, refusal: error?.details ?? error?.message ?? "" });
    });
    return () => void (isWanted = false);
  }, [name, me, isReachable]);

  return found;
}

/** Forget all rooms: somebody signed out. */
export function forgetRooms(): void {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${REMEMBERED}:`));
  for (const key of keys) localStorage.removeItem(key);
}
