import { type ReactNode, useCallback, useEffect, useState } from "react";
import type { ProfilesRow } from "../src/api.ts";
import { useBlocked } from "./blocked.ts";
import { useAttempt } from "./attempt.ts";
import { Select, Switch } from "./choose.tsx";
import { Dialog } from "./dialog.tsx";
import { Avatar, Icon } from "./icons.tsx";
import { useClient, useMe, usePage } from "./page.ts";
import { useNames } from "./people.ts";
import { ProfileForm } from "./profile_form.tsx";
import { keepTheme, readTheme, THEMES } from "./theme.ts";

interface PreferencesProps {
  readonly onClose: () => void;
  readonly onSignOut: () => Promise<void>;
}

/** What somebody decides about themselves and this page. */
export function Preferences({ onClose, onSignOut }: PreferencesProps): ReactNode {
  const { profile, isMissing, set, refusal } = useOwnProfile();
  const [theme, setTheme] = useState(readTheme);
  if (profile === null && !isMissing) return null;

  return (
    <Dialog title="Preferences" onClose={onClose}>
      {profile !== null && <ProfileForm profile={profile} onSave={set} />}
      {isMissing && <p className="soft">Your profile is there when there is a network.</p>}
      {profile !== null && (
        <section aria-label="Privacy">
          <h3>Privacy</h3>
          <Switch
            label="Show when I am online"
            hint="You see others all the same"
            value={profile.share_presence ?? true}
            onChoose={(isOn) => set({ share_presence: isOn })}
          />
        </section>
      )}
      <section aria-label="Appearance">
        <h3>Appearance</h3>
        <Select
          label="Colours"
          options={THEMES}
          value={theme}
          onChoose={async (next) => {
            keepTheme(next);
            setTheme(next);
          }}
        />
      </section>
      <BlockedPeople />
      <p className="refusal" role="alert">{refusal}</p>
      <div className="answers apart">
        <button type="button" className="dangerous" onClick={onSignOut}>
          <Icon name="leave" /> Sign out
        </button>
        <button type="button" className="primary" onClick={onClose}>Done</button>
      </div>
    </Dialog>
  );
}

/** What of a profile may be changed. */
export interface ProfileChange {
  readonly display_name?: string;
  readonly avatar_path?: string;
  readonly label?: string;
  readonly share_presence?: boolean;
}

interface OwnProfile {
  readonly profile: ProfilesRow | null;
  /** The server did not answer. */
  readonly isMissing: boolean;
  readonly set: (change: ProfileChange) => Promise<boolean>;
  readonly refusal: string;
}

/** The own profile as the server has it, with what others do not see. */
function useOwnProfile(): OwnProfile {
  const { supabase } = usePage();
  const { call } = useClient();
  const me = useMe();
  const { refusal, attempt } = useAttempt();
  const [profile, setProfile] = useState<ProfilesRow | null>(null);
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    void supabase.schema("chat").from("profiles").select().eq("user_id", me).single()
      .then(({ data, error }) => {
        if (error === null) setProfile(data as ProfilesRow);
        else setMissing(true);
      });
  }, [supabase, me]);
  const set = useCallback(
    (change: ProfileChange) =>
      attempt(async () => setProfile(await call("update_profile", change))),
    [attempt, call],
  );
  return { profile, isMissing, set, refusal };
}

/** Whom this person has blocked, and lifting it. */
function BlockedPeople(): ReactNode {
  const blocked = useBlocked();
  const nameOf = useNames();
  const { call } = useClient();
  const { refusal, isBusy, attempt } = useAttempt();
  return (
    <section aria-label="Blocked people">
      <h3>Blocked people</h3>
      {blocked.length === 0 && <p className="soft">You have blocked nobody.</p>}
      <ul>
        {blocked.map((user_id) => (
          <li key={user_id} className="entry">
            <Avatar id={user_id} name={nameOf(user_id)} />
            <span>{nameOf(user_id)}</span>
            <button
              type="button"
              disabled={isBusy}
              aria-label={`Unblock ${nameOf(user_id)}`}
              onClick={() => attempt(() => call("unblock_user", { user_id }))}
            >
              Unblock
            </button>
          </li>
        ))}
      </ul>
      <p className="refusal" role="alert">{refusal}</p>
    </section>
  );
}
