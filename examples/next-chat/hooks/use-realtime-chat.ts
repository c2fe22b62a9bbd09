import type { Message, MessageState } from "parley-chat";
import { useParley, useRoom } from "parley-chat/react";
import { useCallback, useMemo } from "react";
import { useNames, useOwnName } from "./use-names";
import { useRoomNamed } from "./use-room-named";
import { useStatus } from "./use-status";

/** A message, as the component of Supabase's UI library has it. What follows `createdAt` is there for kept ones. */
export interface ChatMessage {
  /** The same one from the moment that it was written, on all devices. */
  id: string;
  content: string;
  user: { name: string };
  /** ISO 8601, in UTC. */
  createdAt: string;
  isOwn?: boolean;
  /** How far an own message came: pending, sent, delivered, read, failed or discarded. */
  state?: MessageState;
  /** Names a failed message to `retry` and `dismiss`. */
  itemId?: number | null;
}

interface UseRealtimeChatProps {
  roomName: string;
  username: string;
}

/** The room of this name. It takes and returns what the hook of Supabase's UI library does, and more. */
export function useRealtimeChat({ roomName, username }: UseRealtimeChatProps) {
  const parley = useParley();
  const me = useStatus()?.me ?? null;
  const { room_id, refusal } = useRoomNamed(roomName);
  const { room, messages: rows, send, ...more } = useRoom(room_id);
  const names = useNames();
  useOwnName(username);

  const messages = useMemo(
    () => rows.filter(isShown).map((row) => messageOf(row, me, names)),
    [rows, me, names],
  );
  const deleted = useMemo(
    () => new Set(rows.filter((row) => row.deleted_at !== null).map(idOf)),
    [rows],
  );
  const sendMessage = useCallback(
    async (content: string) => void (await send(content)),
    [send],
  );

  return {
    messages,
    sendMessage,
    /** There is a room to write into: without a network too, once it was here. */
    isConnected: room !== null,
    /** The ids of messages that were deleted. */
    deleted,
    refusal,
    typists: more.typists.map((each) => names.get(each) ?? "Somebody"),
    typing: more.typing,
    markRead: more.markRead,
    hasOlder: more.hasOlder,
    loadOlder: more.loadOlder,
    retry: (itemId: number) => parley?.retry(itemId),
    dismiss: (itemId: number) => parley?.dismiss(itemId),
  };
}

function isShown({ kind, deleted_at }: Message): boolean {
  return kind === "text" && deleted_at === null;
}

function idOf({ client_id, id }: Message): string {
  return client_id ?? id ?? "";
}

function messageOf(
  row: Message,
  me: string | null,
  names: ReadonlyMap<string, string>,
): ChatMessage {
  return {
    id: idOf(row),
    content: row.body,
    user: { name: names.get(row.sender_id) ?? "Somebody" },
    createdAt: new Date(row.created_at).toISOString(),
    isOwn: row.sender_id === me,
    state: row.state,
    itemId: row.item_id,
  };
}
