/** Trying what may be refused: why it was is said in words for whoever did it. */
import { useCallback, useState } from "react";
import { ParleyError } from "../src/index.ts";

/** Something that may be refused: why, and whether an answer is still to come. */
export interface Attempt {
  readonly refusal: string;
  readonly isBusy: boolean;
  /** Try it; resolves to whether it went well. */
  readonly attempt: (work: () => Promise<unknown>) => Promise<boolean>;
}

/** Try things one after the other, and keep what stood against the last one. */
export function useAttempt(): Attempt {
  const [refusal, setRefusal] = useState("");
  const [isBusy, setBusy] = useState(false);
  const attempt = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
      setRefusal("");
      return true;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      setRefusal(inWords(error));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { refusal, isBusy, attempt };
}

/** What the server says of these is for whoever writes a client: it names ids and functions. */
const WORDS: { readonly [slug: string]: string } = {
  unreachable: "The server does not answer. Try again when there is a network.",
  room_not_found: "You are not in this room any more.",
  user_not_found: "This person is not here, or cannot be reached from here.",
  report_not_found: "This report is not there any more.",
  invite_not_found:
    "There is no such invite. Check that the link is complete, or ask for a new one.",
  invite_expired: "The invite is used up, or its time is over. Ask for a new one.",
  message_deleted: "The message was deleted.",
  member_muted: "You are muted in this room.",
  room_archived: "The room is archived: it can only be read.",
  last_owner: "A room keeps an owner. Make somebody else owner first.",
};

/** A refusal in plain words. */
export function inWords({ slug, detail, retry_after }: ParleyError): string {
  if (slug === "slow_down") {
    return `That was too much at once. Try again in ${retry_after ?? "a few"} seconds.`;
  }
  return WORDS[slug] ?? detail;
}
