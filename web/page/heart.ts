/** Saying that this person is here, and which room is on the screen, while the page is in front. */
import { useEffect } from "react";
import { useRooms } from "../react/index.ts";
import { type Parley, ParleyError } from "../src/index.ts";
import { useClient, useIsOff, useMe } from "./page.ts";

const PAUSE_MS = 30_000;

/** Tell the server every half a minute, and at once where another room is on the screen. */
export function Heart({ open }: { readonly open: string | null }): null {
  const room_id = useRooms().rooms.find((room) => room.id === open)?.id ?? null;
  const parley = useClient();
  const me = useMe();
  const isOff = useIsOff();
  useEffect(() => {
    if (isOff || me === "") return;
    const beat = () => {
      if (document.visibilityState !== "visible") return;
      void beatOnce(parley, room_id);
    };
    beat();
    const timer = setInterval(beat, PAUSE_MS);
    document.addEventListener("visibilitychange", beat);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", beat);
    };
  }, [parley, me, isOff, room_id]);
  return null;
}

/** Where it is refused, nobody sees this person online, and the next one may go well. */
async function beatOnce(parley: Parley, room_id: string | null): Promise<void> {
  try {
    const device_id = await parley.deviceId();
    await parley.call("heartbeat", room_id === null ? { device_id } : { device_id, room_id });
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
  }
}
