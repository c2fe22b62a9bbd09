/** Making a change out of what is special about it. */
import type { Change } from "./types.ts";

/** A change of a room, or of what is the account's own. */
export function change(room_id: string | null, more: Partial<Change> = {}): Change {
  return {
    room_id,
    rows: {},
    is_gone: false,
    is_fresh: false,
    dropped_tenants: [],
    places_changed: false,
    people: [],
    fault: null,
    upload: null,
    table: null,
    ...more,
  };
}
