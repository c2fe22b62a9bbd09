/** What is asked before somebody is muted, removed, banned or blocked. */
import { type FormEvent, type ReactNode, useState } from "react";
import { useAttempt } from "./attempt.ts";
import { type Duration, DURATIONS, endOf } from "./durations.ts";
import { useClient } from "./page.ts";

export interface FormProps {
  readonly user_id: string;
  readonly name: string;
  readonly onBack: () => void;
  /** What was done, as a sentence. */
  readonly onDone: (notice: string) => void;
}

interface InRoomProps extends FormProps {
  readonly room_id: string;
}

interface FrameProps {
  /** What the button says. */
  readonly yes: string;
  readonly notice: string;
  readonly work: () => Promise<unknown>;
  readonly children: ReactNode;
}

/** The fields, why it was refused, and the answers. */
export function Frame(
  { yes, notice, work, children, onBack, onDone }:
    & FrameProps
    & Pick<FormProps, "onBack" | "onDone">,
): ReactNode {
  const { refusal, isBusy, attempt } = useAttempt();

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (await attempt(work)) onDone(notice);
  }

  return (
    <form onSubmit={submit}>
      {children}
      <p className="refusal" role="alert">{refusal}</p>
      <div className="answers">
        <button type="button" onClick={onBack}>Back</button>
        <button type="submit" className="primary danger" disabled={isBusy}>{yes}</button>
      </div>
    </form>
  );
}

interface ReasonProps {
  readonly label: string;
  readonly value: string;
  readonly isRequired?: boolean;
  readonly onChange: (value: string) => void;
}

/** A sentence of why. */
export function Reason({ label, value, isRequired = false, onChange }: ReasonProps): ReactNode {
  return (
    <label>
      {label}
      <input
        value={value}
        maxLength={500}
        required={isRequired}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

interface LastsProps {
  readonly value: Duration;
  readonly onChange: (value: Duration) => void;
}

function Lasts({ value, onChange }: LastsProps): ReactNode {
  return (
    <fieldset>
      <legend>For how long?</legend>
      {DURATIONS.map((each) => (
        <label key={each.name} className="choice">
          <input
            type="radio"
            name="lasts"
            checked={each === value}
            onChange={() => onChange(each)}
          />
          {each.name}
        </label>
      ))}
    </fieldset>
  );
}

const SHORTEST = DURATIONS[0] as Duration;
const LONGEST = DURATIONS.at(-1) as Duration;

/** Mute somebody: they read, and do not write. */
export function MuteForm({ room_id, ...props }: InRoomProps): ReactNode {
  const { user_id, name } = props;
  const { call } = useClient();
  const [lasts, setLasts] = useState(SHORTEST);
  return (
    <Frame
      {...props}
      yes="Mute"
      notice={`${name} was muted.`}
      work={() => call("mute_member", { room_id, user_id, until: endOf(lasts) })}
    >
      <p>{name} can read the room, and not write or react.</p>
      <Lasts value={lasts} onChange={setLasts} />
    </Frame>
  );
}

/** Remove somebody: they may be let in again. */
export function RemoveForm({ room_id, ...props }: InRoomProps): ReactNode {
  const { user_id, name } = props;
  const { call } = useClient();
  const [reason, setReason] = useState("");
  return (
    <Frame
      {...props}
      yes="Remove"
      notice={`${name} was removed.`}
      work={() => call("remove_member", { room_id, user_id, reason })}
    >
      <p>
        From this moment {name}{" "}
        gets nothing of the room, and its messages leave their devices. They may be added again.
      </p>
      <Reason label="Reason, which they read" value={reason} onChange={setReason} />
    </Frame>
  );
}

/** Ban somebody: they are removed, and nobody lets them in. */
export function BanForm({ room_id, ...props }: InRoomProps): ReactNode {
  const { user_id, name } = props;
  const { call } = useClient();
  const [lasts, setLasts] = useState(LONGEST);
  const [reason, setReason] = useState("");
  return (
    <Frame
      {...props}
      yes="Ban"
      notice={`${name} was banned.`}
      work={() => call("ban_member", { room_id, user_id, until: endOf(lasts), reason })}
    >
      <p>{name} is removed, and nobody can let them in while the ban holds.</p>
      <Lasts value={lasts} onChange={setLasts} />
      <Reason label="Reason, which they read" value={reason} onChange={setReason} />
    </Frame>
  );
}

/** Block somebody, for oneself. */
export function BlockForm(props: FormProps): ReactNode {
  const { user_id, name } = props;
  const { call } = useClient();
  return (
    <Frame
      {...props}
      yes="Block"
      notice={`${name} is blocked. Preferences list whom you have blocked.`}
      work={() => call("block_user", { user_id })}
    >
      <p>
        Neither of you can write to the other. In groups their messages are folded, and you are not
        notified of them. Nobody tells {name}.
      </p>
    </Frame>
  );
}
