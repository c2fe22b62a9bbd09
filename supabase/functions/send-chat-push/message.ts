// The content of a push, before it takes the form of a provider.

import type { Push } from "./project.ts";

/** The most that a payload may take; Apple and Google take 4 KB. */
export const MOST_BYTES = 3_500;

/** Returns the text to show, and a fixed one if the push has no text or may show none. */
export function words(push: Push): string {
  return push.body ?? Deno.env.get("PUSH_WITHOUT_TEXT") ?? "New message";
}

/** What an app needs to open the right place when the push is tapped. All values are texts. */
export function data(push: Push): Record<string, string> {
  if (push.kind === "clear") {
    return {
      type: "chat_read",
      room_ids: (push.room_ids ?? []).slice(0, 50).join(","),
      badge: String(push.badge ?? 0),
    };
  }
  return {
    type: "chat_message",
    room_id: push.room_id ?? "",
    message_id: push.message_id ?? "",
    sender_id: push.sender_id ?? "",
    unread: String(push.unread ?? 0),
    badge: String(push.badge ?? 0),
  };
}

/** Tells whether a payload is small enough for every provider. */
export function fits(payload: unknown): boolean {
  return new TextEncoder().encode(JSON.stringify(payload)).length <= MOST_BYTES;
}
