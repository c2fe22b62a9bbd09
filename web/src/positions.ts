/** How far the copy of each room goes, and what a pull asks with. */
import type { RoomRecord } from "./storage/tables.ts";

/** How far the copy of a room goes. */
export interface Position {
  readonly rev: number | null;
  readonly first_seq: number;
  /** What is not read before it may be something, and whether the server has counted it. */
  readonly may_be_unread: boolean;
  readonly is_counted: boolean;
}

/** What the copy has of a room: the number of its stream, and the (seq, rev) of messages from `first_seq` on. */
export interface Held {
  readonly rev: number | null;
  readonly first_seq: number;
  readonly messages: readonly (readonly [seq: number, rev: number])[];
}

/** What a pull asked with: what the copy had of each stream, null for nothing. */
export interface Asked {
  readonly timeline: string | null;
  readonly user: number | null;
  readonly rooms: ReadonlyMap<string, number | null>;
  /** The first message of rooms that have unread ones before it, or may have. */
  readonly first: ReadonlyMap<string, number>;
}

/** How far each room goes, in memory. */
export class Positions extends Map<string, Position> {
  /** Note how far a room goes now; null is not here any more. */
  note(roomId: string, room: RoomRecord | null): void {
    if (room === null || !room.is_here) {
      this.delete(roomId);
      return;
    }
    this.set(roomId, {
      rev: room.rev,
      first_seq: room.first_seq,
      may_be_unread: room.rev === null || !room.older_counted || room.older_unread > 0,
      is_counted: room.older_counted,
    });
  }
}
