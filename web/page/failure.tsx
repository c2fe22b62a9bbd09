import type { ReactNode } from "react";
import type { Message } from "../src/index.ts";
import { useClient } from "./page.ts";

const REASONS: { readonly [slug: string]: string } = {
  not_allowed: "You may not write here.",
  member_muted: "You are muted here.",
  room_not_found: "You are no longer in this room.",
  room_archived: "This room is archived.",
  message_too_long: "It is too long.",
  message_refused: "It was refused.",
  slow_down: "That was too much at once.",
};
const FILE_REASONS: { readonly [slug: string]: string } = {
  ...REASONS,
  not_allowed: "The file is too large or of a kind that is not taken, or you may not write here.",
  payload_too_large: "The file is too large.",
  invalid_input: "Files of this kind are not taken.",
  file_not_found: "The file did not arrive.",
};

interface FailureProps {
  readonly message: Message;
  readonly attempt: (work: Promise<unknown>) => void;
}

/** Why an own message was not sent, and what can be done. */
export function Failure({ message, attempt }: FailureProps): ReactNode {
  const parley = useClient();
  const { item_id, state, reason, attachments } = message;
  if (item_id === null || (state !== "failed" && state !== "discarded")) return null;
  const reasons = attachments.length > 0 ? FILE_REASONS : REASONS;
  return (
    <p className="failure" role="alert">
      Not sent. {reasons[reason] ?? reason.replaceAll("_", " ")}
      {state === "failed" && (
        <button type="button" onClick={() => attempt(parley.retry(item_id))}>Try again</button>
      )}
      <button type="button" onClick={() => attempt(parley.dismiss(item_id))}>Dismiss</button>
    </p>
  );
}
