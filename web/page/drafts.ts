/** What was written and not sent, by person and room. Signing out deletes it. */

function keyOf(me: string, room_id: string): string {
  return `parley-draft-${me}-${room_id}`;
}

/** The draft of a room; empty without one. */
export function readDraft(me: string, room_id: string): string {
  return localStorage.getItem(keyOf(me, room_id)) ?? "";
}

/** Keep a draft; an empty one is forgotten. */
export function keepDraft(me: string, room_id: string, body: string): void {
  if (body === "") localStorage.removeItem(keyOf(me, room_id));
  else localStorage.setItem(keyOf(me, room_id), body);
}

/** Forget all drafts of a person. */
export function forgetDrafts(me: string): void {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(keyOf(me, ""))) localStorage.removeItem(key);
  }
}
