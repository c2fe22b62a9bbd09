import type { ReactNode } from "react";
import type { MemberRow, Room } from "../src/index.ts";
import { Face } from "./face.tsx";
import { Avatar, Icon } from "./icons.tsx";
import { useMe } from "./page.ts";
import type { NameOf } from "./people.ts";
import { usePresence } from "./presence.ts";
import { seenLine } from "./seen.ts";
import { useShown } from "./shown.ts";

interface RoomHeadProps {
  readonly room: Room;
  readonly title: string;
  readonly members: readonly MemberRow[];
  readonly nameOf: NameOf;
}

/** What a room is called, and who is in it. */
export function RoomHead({ room, title, members, nameOf }: RoomHeadProps): ReactNode {
  const me = useMe();
  const names = members.map((each) => each.user_id === me ? "you" : nameOf(each.user_id));
  return (
    <>
      {room.other_id === null
        ? <Avatar id={room.id} name={title} />
        : <Face user_id={room.other_id} name={title} />}
      <div className="head">
        <h2>{title}</h2>
        <p className="soft">
          {room.other_id === null ? names.join(", ") : (
            <Other
              user_id={room.other_id}
              label={members.find((each) => each.user_id === room.other_id)?.label ?? null}
            />
          )}
        </p>
      </div>
    </>
  );
}

function Other({ user_id, label }: { readonly user_id: string; readonly label: string | null }) {
  const seen = seenLine(usePresence(user_id));
  return <>{[label, seen].filter((each) => each).join(" · ") || "direct"}</>;
}

/** The way to everything else about a room. */
export function AboutButton({ room }: { readonly room: Room }): ReactNode {
  const { panel, toggle } = useShown();
  const name = room.other_id === null ? "About this room" : "About this conversation";
  return (
    <button
      type="button"
      className="quiet"
      aria-label={name}
      title={name}
      aria-pressed={panel === "about"}
      onClick={() => toggle("about")}
    >
      <Icon name="info" />
    </button>
  );
}
