import type { ReactNode } from "react";
import type { MemberRow, Room } from "../src/index.ts";
import { Face } from "./face.tsx";
import { useMe } from "./page.ts";
import { useNames } from "./people.ts";
import { byRank, isAhead, ROLE_NAMES } from "./rights.ts";
import { useShown } from "./shown.ts";

interface MemberListProps {
  readonly room: Room;
  readonly members: readonly MemberRow[];
}

/** Who is in a room, the highest role first. Each leads to what can be done about them. */
export function MemberList({ room, members }: MemberListProps): ReactNode {
  const nameOf = useNames();
  const me = useMe();
  const { ask } = useShown();
  const sorted = [...members].sort((one, other) =>
    byRank(one.role, other.role) || nameOf(one.user_id).localeCompare(nameOf(other.user_id))
  );
  return (
    <>
      <ul>
        {sorted.map(({ user_id, role, label, muted_until }) => (
          <li key={user_id}>
            <button
              type="button"
              className="row"
              onClick={() => ask({ kind: "person", user_id, room_id: room.id })}
            >
              <Face user_id={user_id} name={nameOf(user_id)} />
              <span className="who">
                <span>{nameOf(user_id)}{user_id === me && <span className="soft">you</span>}</span>
                {label !== null && <span className="soft">{label}</span>}
              </span>
              {isAhead(muted_until) && <span className="tag warn">Muted</span>}
              {role !== "member" && <span className="tag">{ROLE_NAMES[role]}</span>}
            </button>
          </li>
        ))}
      </ul>
      {members.length < (room.row?.member_count ?? 0) && (
        <p className="soft">Of a large room, people who wrote lately are listed.</p>
      )}
    </>
  );
}
