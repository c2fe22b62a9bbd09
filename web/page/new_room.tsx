import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog } from "./dialog.tsx";
import { Avatar } from "./icons.tsx";
import { useClient, usePage } from "./page.ts";
import { useOthers } from "./people.ts";
import { go } from "./place.ts";

/** Choose people: one for a direct room, several or a name for a group. */
export function NewRoom({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { supabase } = usePage();
  const parley = useClient();
  const others = useOthers();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState("");
  const [refusal, setRefusal] = useState("");
  const isDirect = chosen.size === 1 && name.trim() === "";

  function choose(user_id: string): void {
    const next = new Set(chosen);
    if (!next.delete(user_id)) next.add(user_id);
    setChosen(next);
  }

  async function make(event: FormEvent): Promise<void> {
    event.preventDefault();
    const ids = [...chosen];
    const chat = supabase.schema("chat");
    const { data, error } = isDirect
      ? await chat.rpc("open_direct", { user_id: ids[0] })
      : await chat.rpc("create_room", { name: name.trim(), member_ids: ids });
    if (error !== null) {
      setRefusal(error.details || error.message);
      return;
    }
    await parley.sync();
    go((data as { readonly id: string }).id);
    onClose();
  }

  return (
    <Dialog title="New room" onClose={onClose}>
      <form onSubmit={make}>
        <fieldset>
          <legend>With whom?</legend>
          {others.map(({ user_id, display_name }) => (
            <label key={user_id} className="choice">
              <input
                type="checkbox"
                checked={chosen.has(user_id)}
                onChange={() => choose(user_id)}
              />
              <Avatar id={user_id} name={display_name} />
              {display_name}
            </label>
          ))}
          {others.length === 0 && (
            <p className="soft">The people of your rooms appear here. There are none yet.</p>
          )}
        </fieldset>
        <label>
          Name of the group
          <input
            value={name}
            maxLength={120}
            placeholder={chosen.size === 1 ? "None: a room of two" : ""}
            required={!isDirect}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <p className="refusal" role="alert">{refusal}</p>
        <div className="answers">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" className="primary">
            {isDirect ? "Open the room" : "Make the group"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
