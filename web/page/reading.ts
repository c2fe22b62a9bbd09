/** What somebody has seen of a room: it is read when its end is on a screen that somebody looks at. */
import { useEffect, useState, useSyncExternalStore } from "react";
import type { Message, Room } from "../src/index.ts";

function subscribe(listener: () => void): () => void {
  const events = ["focus", "blur"];
  for (const event of events) addEventListener(event, listener);
  document.addEventListener("visibilitychange", listener);
  return () => {
    for (const event of events) removeEventListener(event, listener);
    document.removeEventListener("visibilitychange", listener);
  };
}

/** Whether the window is in front. */
function useIsLooking(): boolean {
  return useSyncExternalStore(
    subscribe,
    () => document.visibilityState === "visible" && document.hasFocus(),
  );
}

interface Line {
  /** The first message that is new; null without one. */
  readonly seq: number | null;
  /** How many were unread when that was found out; null before the first look. */
  readonly unread: number | null;
}

/**
 * Mark a room as read while its end is looked at, and tell where what is new begins.
 *
 * The line stays where it is until something new comes that nobody looks at, or `clear` is called.
 */
export function useReading(
  room: Room,
  messages: readonly Message[],
  me: string,
  isAtEnd: boolean,
  markRead: () => Promise<void>,
): { readonly newFrom: number | null; readonly clear: () => void } {
  const isLooking = useIsLooking();
  const { unread, marked_unread } = room;
  const [line, setLine] = useState<Line>({ seq: null, unread: null });

  if (messages.length > 0 && line.unread !== unread) {
    const isNews = unread > 0 && (line.unread === null || line.unread === 0);
    const isSeen = line.unread !== null && isAtEnd && isLooking;
    setLine({ seq: isNews && !isSeen ? firstUnread(messages, unread, me) : line.seq, unread });
  }

  const newest = messages.at(-1)?.seq ?? null;
  const isWaiting = unread > 0 || marked_unread;
  useEffect(() => {
    if (isWaiting && isAtEnd && isLooking) void markRead();
  }, [isWaiting, isAtEnd, isLooking, newest, markRead]);

  return {
    newFrom: line.seq,
    clear: () => setLine((last) => ({ ...last, seq: null })),
  };
}

/** The first of so many unread messages, by the rule that counts them; null when it is not among these. */
function firstUnread(messages: readonly Message[], unread: number, me: string): number | null {
  let left = unread;
  for (let at = messages.length - 1; at >= 0; at--) {
    const { kind, sender_id, deleted_at, seq } = messages[at] as Message;
    if (kind !== "text" || sender_id === me || deleted_at !== null || seq === null) continue;
    left -= 1;
    if (left === 0) return seq;
  }
  return null;
}
