/** Telling moderators of a message or a person. */
import { type ReactNode, useState } from "react";
import type { Message } from "../src/index.ts";
import { Dialog } from "./dialog.tsx";
import { useNames } from "./people.ts";
import { BlockForm, type FormProps, Frame, Reason } from "./person_forms.tsx";
import { useShown } from "./shown.ts";
import { useClient } from "./page.ts";

const REASONS = ["Spam", "Insult or threat", "Not for this room", "Something else"];
const ELSE = REASONS.at(-1);

interface ReportFormProps extends FormProps {
  /** What is reported of them; null is the person. */
  readonly message: Message | null;
}

/** Say what is wrong. */
export function ReportForm({ message, ...props }: ReportFormProps): ReactNode {
  const { call } = useClient();
  const [kind, setKind] = useState(REASONS[0]);
  const [words, setWords] = useState("");
  const isOther = kind === ELSE;
  const reason = isOther ? words : [kind, words].filter((each) => each?.trim()).join(": ");

  return (
    <Frame
      {...props}
      yes="Report"
      notice="Thank you. Moderators look at it, and you are told how it ends."
      work={() =>
        message === null || message.seq === null
          ? call("report_user", { user_id: props.user_id, reason })
          : call("report_message", { room_id: message.room_id, seq: message.seq, reason })}
    >
      <fieldset>
        <legend>What is wrong?</legend>
        {REASONS.map((each) => (
          <label key={each} className="choice">
            <input
              type="radio"
              name="kind"
              checked={each === kind}
              onChange={() => setKind(each)}
            />
            {each}
          </label>
        ))}
      </fieldset>
      <Reason
        label={isOther ? "In your words" : "Anything else? You need not."}
        value={words}
        isRequired={isOther}
        onChange={setWords}
      />
    </Frame>
  );
}

interface ReportMessageProps {
  readonly message: Message;
  readonly onClose: () => void;
}

/** Report a message, or block whoever wrote it. */
export function ReportMessage({ message, onClose }: ReportMessageProps): ReactNode {
  const { tell } = useShown();
  const name = useNames()(message.sender_id);
  const [isBlocking, setBlocking] = useState(false);
  const form = {
    user_id: message.sender_id,
    name,
    onBack: onClose,
    onDone(notice: string) {
      tell(notice);
      onClose();
    },
  };
  if (isBlocking) {
    return (
      <Dialog key="block" title={`Block ${name}?`} onClose={onClose}>
        <BlockForm {...form} onBack={() => setBlocking(false)} />
      </Dialog>
    );
  }
  return (
    <Dialog title={`Report a message of ${name}`} onClose={onClose}>
      <p className="quoted">{message.body}</p>
      <ReportForm {...form} message={message} />
      <button type="button" className="row dangerous" onClick={() => setBlocking(true)}>
        Block {name} instead
      </button>
    </Dialog>
  );
}
