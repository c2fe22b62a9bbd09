/**
 * Which room is open, and which message of it was asked for: `#room` or `#room/seq` in the address.
 *
 * `#invite/token` is behind a link that invites; what is behind the `#` goes to no server by itself.
 */
import { useSyncExternalStore } from "react";

export interface Place {
  readonly room_id: string | null;
  readonly seq: number | null;
  /** Of the invite that the address is. */
  readonly token: string | null;
}

const INVITE = "invite";
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("hashchange", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("hashchange", listener);
  };
}

/** The place that the address names. */
export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => location.hash.slice(1));
  const [first, second] = hash.split("/");
  if (first === INVITE) return { room_id: null, seq: null, token: second ?? "" };
  return { room_id: first || null, seq: second ? Number(second) : null, token: null };
}

/** The address of a room, or of one of its messages. */
export function addressOf(room_id: string, seq: number | null = null): string {
  return seq === null ? `#${room_id}` : `#${room_id}/${seq}`;
}

/** The link of an invite, for anybody. */
export function inviteOf(token: string): string {
  return `${location.origin}/#${INVITE}/${token}`;
}

/** Go to a room, or to none. */
export function go(room_id: string | null): void {
  location.hash = room_id ?? "";
}

/** The message that was asked for is shown: the address is that of its room again, so it can be asked for again. */
export function arrive(room_id: string): void {
  history.replaceState(null, "", addressOf(room_id));
  for (const listener of [...listeners]) listener();
}
