import type { ReactNode } from "react";
import { Avatar } from "./icons.tsx";
import type { NameOf } from "./people.ts";
import type { Thread } from "./replies.ts";
import { short } from "./time.ts";

interface ThreadLineProps {
  readonly thread: Thread;
  readonly nameOf: NameOf;
  readonly onOpen: () => void;
}

/** What stands under a message that was answered: who did, how often, and when last. */
export function ThreadLine({ thread, nameOf, onOpen }: ThreadLineProps): ReactNode {
  const { count, last_at, people } = thread;
  return (
    <button type="button" className="thread-line" onClick={onOpen}>
      {people.map((each) => <Avatar key={each} id={each} name={nameOf(each)} />)}
      <b>{count === 1 ? "1 reply" : `${count} replies`}</b>
      <span className="soft">last {short(last_at)}</span>
    </button>
  );
}
