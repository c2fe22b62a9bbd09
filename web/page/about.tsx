import { type ReactNode, useState } from "react";
import { useRoom } from "../react/index.ts";
import type { Room } from "../src/index.ts";
import { Bans } from "./bans.tsx";
import { useAttempt } from "./attempt.ts";
import { Confirm } from "./confirm.tsx";
import { Avatar, Icon } from "./icons.tsx";
import { Invites } from "./invites.tsx";
import { MemberList } from "./member_list.tsx";
import { useClient, useMe } from "./page.ts";
import { Drawer } from "./drawer.tsx";
import { titleOf, useMembers, useNames } from "./people.ts";
import { go } from "./place.ts";
import { type Rights, rightsOf } from "./rights.ts";
import { RoomChoices } from "./room_choices.tsx";
import { useShown } from "./shown.ts";

interface AboutProps {
  readonly room_id: string;
  readonly onClose: () => void;
}

/** Everything about a room besides what is said in it. */
export function About({ room_id, onClose }: AboutProps): ReactNode {
  const { room } = useRoom(room_id);
  const members = useMembers(room_id);
  const me = useMe();
  const { ask } = useShown();
  if (room === null) return null;
  const rights = rightsOf(members.find((each) => each.user_id === me), room.row);
  return (
    <Drawer
      title={room.other_id === null ? "About this room" : "About this conversation"}
      onClose={onClose}
    >
      <Intro room={room} rights={rights} />
      <RoomChoices room={room} />
      <section aria-label="Members">
        <header>
          <h3>{room.row?.member_count ?? members.length} people</h3>
          {rights.isModerator && rights.isOpen && (
            <button
              type="button"
              onClick={() => ask({ kind: "add", room_id })}
            >
              <Icon name="plus" /> Add people
            </button>
          )}
        </header>
        <MemberList room={room} members={members} />
      </section>
      {rights.isModerator && <Invites room_id={room_id} isOpen={rights.isOpen} />}
      {rights.isModerator && <Bans room_id={room_id} />}
      <Endings room={room} rights={rights} />
    </Drawer>
  );
}

interface PartProps {
  readonly room: Room;
  readonly rights: Rights;
}

function Intro({ room, rights }: PartProps): ReactNode {
  const title = titleOf(room, useNames());
  const { ask } = useShown();
  const { row } = room;
  return (
    <section className="intro" aria-label="In short">
      <Avatar id={room.other_id ?? room.id} name={title} />
      <p className="name">{title}</p>
      {row !== null && row.topic !== "" && <p className="topic">{row.topic}</p>}
      {row !== null && row.kind === "group" && (
        <p className="soft">
          {row.is_public ? "Anyone here may join." : "People come in by invitation."}
          {row.slow_mode_seconds > 0 && ` One message in ${row.slow_mode_seconds} seconds each.`}
          {row.retain_days !== null && ` Messages are kept for ${row.retain_days} days.`}
        </p>
      )}
      {row?.archived_at != null && <p className="tag">Archived: it can only be read</p>}
      {rights.isAdmin && rights.isOpen && (
        <button
          type="button"
          onClick={() => ask({ kind: "edit", room_id: room.id })}
        >
          <Icon name="pencil" /> Edit the room
        </button>
      )}
    </section>
  );
}

type Ending = "clear" | "leave" | "archive";

const ENDINGS = {
  clear: {
    title: "Clear the history?",
    text: "All messages so far disappear for you, on all of your devices, and for nobody else. " +
      "It cannot be taken back.",
    yes: "Clear it",
    done: "The history was cleared.",
  },
  leave: {
    title: "Leave the room?",
    text: "Its messages leave your devices. Somebody has to let you in again.",
    yes: "Leave",
    done: "You have left the room.",
  },
  archive: {
    title: "Archive the room?",
    text: "Everybody can read it, and nobody can write, until it is opened again.",
    yes: "Archive it",
    done: "The room is archived.",
  },
} as const;

function Endings({ room, rights }: PartProps): ReactNode {
  const { call } = useClient();
  const { tell } = useShown();
  const { refusal, attempt } = useAttempt();
  const [ending, setEnding] = useState<Ending | null>(null);
  const room_id = room.id;
  const isGroup = room.row?.kind === "group";

  async function end(what: Ending): Promise<void> {
    if (what === "clear") await call("clear_history", { room_id });
    if (what === "archive") await call("archive_room", { room_id });
    if (what === "leave") {
      await call("leave_room", { room_id });
      go(null);
    }
    tell(ENDINGS[what].done);
  }

  return (
    <section className="endings" aria-label="More">
      <button type="button" className="row" onClick={() => setEnding("clear")}>
        <Icon name="broom" /> Clear the history for me
      </button>
      {rights.isAdmin && (rights.isOpen
        ? (
          <button type="button" className="row" onClick={() => setEnding("archive")}>
            <Icon name="box" /> Archive the room
          </button>
        )
        : (
          <button
            type="button"
            className="row"
            onClick={() => attempt(() => call("unarchive_room", { room_id }))}
          >
            <Icon name="box" /> Open the room again
          </button>
        ))}
      {isGroup && (
        <button
          type="button"
          className="row dangerous"
          onClick={() => setEnding("leave")}
        >
          <Icon name="leave" /> Leave the room
        </button>
      )}
      <p className="refusal" role="alert">{refusal}</p>
      {ending !== null && (
        <Confirm
          {...ENDINGS[ending]}
          onYes={() => end(ending)}
          onClose={() => setEnding(null)}
        />
      )}
    </section>
  );
}
