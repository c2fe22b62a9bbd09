import { type ReactNode, useDeferredValue, useEffect, useState } from "react";
import { useRooms } from "../react/index.ts";
import { type Message, type Parley, ParleyError, type Room } from "../src/index.ts";
import { isObject, isText } from "../src/rows.ts";
import { Avatar } from "./icons.tsx";
import { useClient } from "./page.ts";
import { type NameOf, titleOf } from "./people.ts";
import { addressOf } from "./place.ts";
import { messageIn } from "./remote_page.ts";
import { said } from "./said.ts";
import { type Server, useServer } from "./server.ts";
import { short } from "./time.ts";

/** The server is asked when nothing more is typed for so long. */
const PAUSE_MS = 200;
const MOST = 30;

interface FoundProps {
  readonly query: string;
  readonly nameOf: NameOf;
}

/** The messages that a search finds: those of the copy at once, then older ones from the server. */
export function Found({ query, nameOf }: FoundProps): ReactNode {
  const { rooms } = useRooms();
  const { messages, isOver, isOffline } = useFound(useDeferredValue(query), rooms);
  const titles = new Map(rooms.map((room) => [room.id, titleOf(room, nameOf)]));
  const count = messages.length;
  return (
    <div className="rooms" role="region" aria-label="Messages found">
      <p className="soft hint" role="status">
        {count > 0 ? `${count} found` : isOver ? "Nothing found." : ""}
        {isOffline && " Without a network, older messages are not searched."}
      </p>
      <ul>
        {messages.map((message) => (
          <li key={`${message.room_id} ${message.seq}`}>
            <a href={addressOf(message.room_id, message.seq)} className="room-line">
              <Avatar id={message.sender_id} name={nameOf(message.sender_id)} />
              <span className="title">{titles.get(message.room_id) ?? "A room"}</span>
              <time className="soft">{short(message.created_at)}</time>
              <span className="last soft">
                {nameOf(message.sender_id)}: {said(message, nameOf)}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface Search {
  readonly messages: readonly Message[];
  /** The server has answered, or cannot be asked. */
  readonly isOver: boolean;
  readonly isOffline: boolean;
}

function useFound(query: string, rooms: readonly Room[]): Search {
  const parley = useClient();
  const server = useServer();
  const [search, setSearch] = useState<Search>({ messages: [], isOver: false, isOffline: false });
  const groups = rooms.filter(({ other_id }) => other_id === null).map(({ id }) => id).join();

  useEffect(() => {
    let isWanted = true;
    const take = (more: readonly Message[], rest: Partial<Search>, isFirst: boolean) => {
      if (!isWanted) return;
      setSearch((before) => ({
        isOver: false,
        isOffline: false,
        ...rest,
        messages: isFirst ? more : merged(before.messages, more),
      }));
    };
    parley.search(query, { page_size: MOST }).then((local) => take(local, {}, true), refused);
    const waiting = setTimeout(() => {
      searchServer(parley, server, query, groups).then(
        (more) => take(more, { isOver: true }, false),
        (error: unknown) => {
          refused(error);
          take([], { isOver: true, isOffline: isUnreachable(error) }, false);
        },
      );
    }, PAUSE_MS);
    return () => {
      isWanted = false;
      clearTimeout(waiting);
    };
  }, [parley, server, query, groups]);
  return search;
}

/** What cannot be searched finds nothing. */
function refused(error: unknown): void {
  if (!(error instanceof ParleyError)) throw error;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof ParleyError && error.slug === "unreachable";
}

async function searchServer(
  parley: Parley,
  server: Server,
  query: string,
  groups: string,
): Promise<Message[]> {
  const rows = await server.list("search_messages", { query, page_size: MOST });
  const blocked = new Set(await parley.blocked());
  return rows.map(({ message }) => message).filter(isObject).flatMap((row) => {
    const { room_id } = row;
    if (!isText(room_id)) return [];
    const found = messageIn(room_id, row);
    return [{ ...found, is_folded: blocked.has(found.sender_id) && groups.includes(room_id) }];
  });
}

function merged(before: readonly Message[], more: readonly Message[]): readonly Message[] {
  const known = new Set(before.map(({ room_id, seq }) => `${room_id} ${seq}`));
  return [...before, ...more.filter(({ room_id, seq }) => !known.has(`${room_id} ${seq}`))]
    .sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
}
