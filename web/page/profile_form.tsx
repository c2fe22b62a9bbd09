import { type ChangeEvent, type FormEvent, type ReactNode, useState } from "react";
import type { ProfilesRow } from "../src/api.ts";
import { Avatar } from "./icons.tsx";
import { usePage } from "./page.ts";
import { PICTURES } from "./pictures.ts";
import type { ProfileChange } from "./preferences.tsx";

/** What storage takes in the name of a file. */
const UNFIT = /[^\w.-]+/g;

interface ProfileFormProps {
  readonly profile: ProfilesRow;
  readonly onSave: (change: ProfileChange) => Promise<boolean>;
}

/** What others see of this person: the name and the picture. */
export function ProfileForm({ profile, onSave }: ProfileFormProps): ReactNode {
  const { supabase } = usePage();
  const [name, setName] = useState(profile.display_name);
  const [said, setSaid] = useState("");
  const [refusal, setRefusal] = useState("");

  async function save(event: FormEvent): Promise<void> {
    event.preventDefault();
    setSaid(await onSave({ display_name: name.trim() }) ? "Saved." : "");
  }

  async function show(event: ChangeEvent<HTMLInputElement>): Promise<void> {
    const [file] = event.target.files ?? [];
    if (file === undefined) return;
    const last = file.name.replace(UNFIT, "_").slice(-60);
    const path = `${profile.user_id}/${crypto.randomUUID()}/${last}`;
    const { error } = await supabase.storage.from(PICTURES).upload(path, file, {
      contentType: file.type,
    });
    setRefusal(error === null ? "" : "This picture was not taken. Choose an image of up to 5 MB.");
    if (error === null) await onSave({ avatar_path: path });
  }

  return (
    <form onSubmit={save} className="profile">
      <div className="together">
        <Avatar id={profile.user_id} name={profile.display_name} />
        <label className="button">
          Choose a picture
          <input type="file" accept="image/*" className="unseen" onChange={show} />
        </label>
        {profile.avatar_path !== null && (
          <button
            type="button"
            onClick={() => onSave({ avatar_path: "" })}
          >
            Remove it
          </button>
        )}
      </div>
      <label>
        Name
        <span className="together">
          <input
            value={name}
            maxLength={80}
            required
            onChange={(event) => setName(event.target.value)}
          />
          <button type="submit" disabled={name.trim() === profile.display_name}>Save</button>
        </span>
      </label>
      <p className="soft" role="status">{said}</p>
      {refusal !== "" && <p className="refusal" role="alert">{refusal}</p>}
    </form>
  );
}
