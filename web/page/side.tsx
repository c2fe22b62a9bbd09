import { type ReactNode, useEffect, useState } from "react";
import { useRooms } from "../react/index.ts";
import type { Room } from "../src/index.ts";
import { Bell, ReportsButton } from "./bell.tsx";
import { Face } from "./face.tsx";
import { Found } from "./found.tsx";
import { Avatar, Icon } from "./icons.tsx";
import { NewRoom } from "./new_room.tsx";
import { useIsOff, useMe, usePage, useStatus } from "./page.ts";
import { type NameOf, titleOf, useNames, usePeople } from "./people.ts";
import { addressOf } from "./place.ts";
import { PushButton } from "./push.tsx";
import { RoomMarks } from "./room_marks.tsx";
import { said } from "./said.ts";
import { useShown } from "./shown.ts";
import { short } from "./time.ts";

interface SideProps {
  readonly open: string | null;
}

/** The start screen: who is here, search, the rooms, and how the copy stands. */
export function Side({ open }: SideProps): ReactNode {
  const [query, setQuery] = useState("");
  const [isMaking, setMaking] = useState(false);
  const nameOf = useNames();
  const me = useMe();
  const name = useOwnName(me);

  return (
    <nav className="side" aria-label="Rooms">
      <header>
        <Avatar id={me} name={name} />
        <h1>{name}</h1>
        <ReportsButton />
        <Bell />
        <button
          type="button"
          className="quiet"
          aria-label="New room"
          onClick={() => setMaking(true)}
        >
          <Icon name="plus" />
        </button>
      </header>
      <label className="search">
        <Icon name="search" />
        <span className="unseen">Search messages</span>
        <input
          type="search"
          placeholder="Search messages"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && setQuery("")}
        />
      </label>
      {query.trim() === ""
        ? <RoomList open={open} nameOf={nameOf} me={me} />
        : <Found query={query} nameOf={nameOf} />}
      <Foot />
      {isMaking && <NewRoom onClose={() => setMaking(false)} />}
    </nav>
  );
}

/** The own name. Before there is a room, the copy has no profiles: then it is the address. */
function useOwnName(me: string): string {
  const { supabase } = usePage();
  const profile = usePeople().find((each) => each.user_id === me);
  const [email, setEmail] = useState("");
  useEffect(() => {
    void supabase.auth.getSession().then(({ data }) => setEmail(data.session?.user.email ?? ""));
  }, [supabase, me]);
  return profile?.display_name ?? email;
}

interface ListProps {
  readonly open: string | null;
  readonly nameOf: NameOf;
  readonly me: string;
}

function RoomList({ open, nameOf, me }: ListProps): ReactNode {
  const { rooms, isLoading } = useRooms();
  if (isLoading) return <div className="rooms" aria-busy="true" />;
  if (rooms.length === 0) {
    return <p className="rooms soft hint">There is no room yet. Make one with the plus above.</p>;
  }
  const lines = (some: readonly Room[]) =>
    some.map((room) => (
      <li key={room.id}>
        <RoomLine room={room} isOpen={room.id === open} nameOf={nameOf} me={me} />
      </li>
    ));
  const away = rooms.filter((room) => room.preferences?.archived);
  return (
    <ul className="rooms">
      {lines(rooms.filter((room) => !room.preferences?.archived))}
      {away.length > 0 && (
        <li>
          <details className="away" open={away.some((room) => room.id === open)}>
            <summary>Put away ({away.length})</summary>
            <ul>{lines(away)}</ul>
          </details>
        </li>
      )}
    </ul>
  );
}

interface LineProps {
  readonly room: Room;
  readonly isOpen: boolean;
  readonly nameOf: NameOf;
  readonly me: string;
}

function RoomLine({ room, isOpen, nameOf, me }: LineProps): ReactNode {
  const title = titleOf(room, nameOf);
  const last = room.last_message;
  return (
    <a
      href={addressOf(room.id)}
      className={room.unread > 0 ? "room-line unread" : "room-line"}
      aria-current={isOpen ? "page" : undefined}
    >
      {room.other_id === null
        ? <Avatar id={room.id} name={title} />
        : <Face user_id={room.other_id} name={title} />}
      <span className="title">
        {title}
        <RoomMarks preferences={room.preferences} />
      </span>
      <time className="soft">{last === null ? "" : short(last.created_at)}</time>
      <span className="last soft">{last === null ? "" : lastLine(last, room, nameOf, me)}</span>
      <span className="counts">
        {room.mentions > 0 && (
          <span className="badge mention">
            @<span className="unseen">{room.mentions} mention you</span>
          </span>
        )}
        {room.unread > 0 && (
          <span className="badge">
            {room.unread > 99 ? "99+" : room.unread}
            <span className="unseen">unread</span>
          </span>
        )}
      </span>
    </a>
  );
}

function lastLine(
  last: NonNullable<Room["last_message"]>,
  room: Room,
  nameOf: NameOf,
  me: string,
): string {
  const line = said(last, nameOf);
  if (last.kind === "system") return line;
  if (last.sender_id === me) return `You: ${line}`;
  return room.other_id === null ? `${nameOf(last.sender_id)}: ${line}` : line;
}

const STATES = {
  starting: "Starting",
  signed_out: "Signed out",
  offline: "Offline",
  polling: "Polling",
  live: "Live",
  closed: "Closed",
} as const;

function Foot(): ReactNode {
  const { network } = usePage();
  const { panel, toggle, ask } = useShown();
  const { state, fault } = useStatus();
  const isOff = useIsOff();

  return (
    <footer>
      <p className={`state ${isOff ? "offline" : state}`} role="status">
        {fault ?? (isOff ? STATES.offline : STATES[state])}
      </p>
      <button
        type="button"
        role="switch"
        className="switch"
        aria-checked={isOff}
        onClick={() => network.turn(!isOff)}
      >
        Offline
      </button>
      <PushButton />
      <button
        type="button"
        className="quiet"
        aria-label="Stream"
        aria-pressed={panel === "stream"}
        onClick={() => toggle("stream")}
      >
        <Icon name="stream" />
      </button>
      <button
        type="button"
        className="quiet"
        aria-label="Preferences"
        onClick={() => ask({ kind: "preferences" })}
      >
        <Icon name="gear" />
      </button>
    </footer>
  );
}
