import { useMemo } from "react";

import type { Parley, SendOptions } from "../src/parley.ts";
import type { Message, Room } from "../src/types.ts";
import { nowhere, useParley, useQuery } from "./provider.ts";
import { type Loading, Query, queryOf } from "./query.ts";

const PAGE = 50;
/** So many more than were asked for are shown of what comes meanwhile, until the oldest are let go. */
const MOST_MORE = 200;

/** What is shown of a room. */
export interface RoomView extends Loading {
  /** The line of the start screen; null when the copy has no such room. */
  readonly room: Room | null;
  /** The newest messages, oldest first, with those that wait to be sent. `state` is how far an own one came. */
  readonly messages: readonly Message[];
  /** The people who are typing. */
  readonly typists: readonly string[];
  /** The members who have the room on screen. */
  readonly present: readonly string[];
  /** There may be messages before those that are shown. */
  readonly hasOlder: boolean;
}

/** What can be done in a room. The functions are the same ones in every render. */
export interface RoomActions {
  /** Send a message; it is shown at once, and resolves to it as pending. */
  readonly send: (body: string, options?: SendOptions) => Promise<Message>;
  /** Show 50 messages more from before those that are shown. */
  readonly loadOlder: () => Promise<void>;
  /** Mark the room as read, up to a message or as a whole. */
  readonly markRead: (seq?: number) => Promise<void>;
  /** Tell the others that this person is typing; call it with every key. */
  readonly typing: () => void;
}

const EMPTY: RoomView = {
  room: null,
  messages: [],
  typists: [],
  present: [],
  hasOlder: false,
  isLoading: true,
};

/** A room on the screen; null while it is not known which. While a component uses it, its live events come too. */
export function useRoom(room_id: string | null): RoomView & RoomActions {
  const parley = useParley();
  const open = parley === null || room_id === null ? null : roomOf(parley, room_id);
  const view = useQuery(open?.query ?? null, EMPTY);
  const actions = open?.actions ?? NO_ACTIONS;
  return useMemo(() => ({ ...view, ...actions }), [view, actions]);
}

interface OpenRoom {
  readonly query: Query<RoomView>;
  readonly actions: RoomActions;
  readonly isIdle: boolean;
}

function roomOf(parley: Parley, room_id: string): OpenRoom {
  return queryOf(parley, `room ${room_id}`, () => openRoom(parley, room_id));
}

function openRoom(parley: Parley, room_id: string): OpenRoom {
  let wanted = PAGE;
  /** The seq of the oldest message that is shown: it stays while newer ones come. */
  let oldest: number | null = null;
  let isAtBeginning = false;

  async function readMessages(): Promise<Message[]> {
    const page = await parley.messages(room_id, { page_size: wanted });
    const first = firstSeq(page);
    if (oldest === null || first === null || first <= oldest) return page;
    const more = Math.min(first - oldest, MOST_MORE);
    return parley.messages(room_id, { page_size: wanted + more });
  }

  const query = new Query<RoomView>(parley, {
    empty: EMPTY,
    async read() {
      const [room, messages] = await Promise.all([parley.room(room_id), readMessages()]);
      oldest = firstSeq(messages);
      const hasOlder = !isAtBeginning && oldest !== null && oldest > 1;
      const [typists, present] = [parley.typists(room_id), parley.present(room_id)];
      return { room, messages, typists, present, hasOlder, isLoading: false };
    },
    isAbout: ({ room_id: where, table }) => where === room_id || (where === null && table === null),
    open: () => parley.open(room_id),
  });

  let loading: Promise<void> | null = null;
  async function loadOlder(): Promise<void> {
    const before = firstSeq(query.snapshot().messages);
    wanted += PAGE;
    await query.refresh();
    const first = firstSeq(query.snapshot().messages);
    if (first !== null && before !== null && first < before) return;
    isAtBeginning = (await parley.older(room_id)) === 0;
    await query.refresh();
  }

  return {
    query,
    get isIdle() {
      return query.isIdle;
    },
    actions: {
      send: (body, options) => parley.send(room_id, body, options),
      // Whoever scrolls asks many times for the same page.
      loadOlder: () => (loading ??= loadOlder().finally(() => (loading = null))),
      markRead: (seq) => parley.markRead(room_id, seq),
      typing: () => parley.typing(room_id),
    },
  };
}

function firstSeq(messages: readonly Message[]): number | null {
  return messages.find((message) => message.seq !== null)?.seq ?? null;
}

const NO_ACTIONS: RoomActions = {
  send: nowhere,
  loadOlder: nowhere,
  markRead: nowhere,
  typing: () => undefined,
};
