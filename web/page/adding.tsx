import { type ReactNode, useDeferredValue, useEffect, useState } from "react";
import type { ProfilesRow } from "../src/api.ts";
import { foldText } from "../src/words.ts";
import { useAttempt } from "./attempt.ts";
import { Dialog } from "./dialog.tsx";
import { Avatar } from "./icons.tsx";
import { useClient, usePage } from "./page.ts";
import { useMembers, useOthers } from "./people.ts";

interface AddPeopleProps {
  readonly room_id: string;
  readonly onClose: () => void;
}

/** Somebody who may be added. */
type Found = Pick<ProfilesRow, "user_id" | "display_name">;

/** Let people into a room: those of one's rooms, and whom the server finds. */
export function AddPeople({ room_id, onClose }: AddPeopleProps): ReactNode {
  const { call } = useClient();
  const { refusal, isBusy, attempt } = useAttempt();
  const [query, setQuery] = useState("");
  const [added, setAdded] = useState("");
  const inRoom = new Set(useMembers(room_id).map((each) => each.user_id));
  const others = useOthers();
  const found = useFound(query);
  const wanted = foldText(query).trim();
  const known: readonly Found[] = others.filter(({ display_name }) =>
    ` ${foldText(display_name)}`.includes(` ${wanted}`)
  );
  const shown = [...known, ...found.filter((each) => !known.some(sameAs(each)))]
    .filter((each) => !inRoom.has(each.user_id));

  async function add({ user_id, display_name }: Found): Promise<void> {
    await call("add_member", { room_id, user_id });
    setAdded(`${display_name} was added.`);
  }

  return (
    <Dialog title="Add people" onClose={onClose}>
      <label>
        Name
        <input type="search" value={query} onChange={(event) => setQuery(event.target.value)} />
      </label>
      <ul className="found">
        {shown.map((each) => (
          <li key={each.user_id} className="entry">
            <Avatar id={each.user_id} name={each.display_name} />
            <span>{each.display_name}</span>
            <button
              type="button"
              disabled={isBusy}
              aria-label={`Add ${each.display_name}`}
              onClick={() => attempt(() => add(each))}
            >
              Add
            </button>
          </li>
        ))}
      </ul>
      {shown.length === 0 && (
        <p className="soft">
          {query === "" ? "Everybody of your rooms is here already." : "Nobody else is found."}
        </p>
      )}
      <p className="soft" role="status">{added}</p>
      <p className="refusal" role="alert">{refusal}</p>
      <div className="answers">
        <button type="button" className="primary" onClick={onClose}>Done</button>
      </div>
    </Dialog>
  );
}

function sameAs(one: Found): (other: Found) => boolean {
  return (other) => one.user_id === other.user_id;
}

/** Whom the server finds; nobody where it lets nobody be found. */
function useFound(query: string): readonly Found[] {
  const { supabase } = usePage();
  const asked = useDeferredValue(query.trim());
  const [found, setFound] = useState<readonly Found[]>([]);
  useEffect(() => {
    let isWanted = true;
    if (asked === "") setFound([]);
    else {
      void supabase.schema("chat").rpc("search_profiles", { query: asked })
        .then(({ data }) => isWanted && setFound((data ?? []) as Found[]));
    }
    return () => void (isWanted = false);
  }, [supabase, asked]);
  return found;
}
