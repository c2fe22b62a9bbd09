import { type ReactNode, useEffect, useRef, useState } from "react";
import type { MemberRow, Message, Room } from "../src/index.ts";
import { Composer } from "./composer.tsx";
import { MessageLine } from "./message.tsx";
import { keyOf } from "./messages.tsx";
import { useMe } from "./page.ts";
import { Panel } from "./panel.tsx";
import type { NameOf } from "./people.ts";
import type { Writing } from "./room.tsx";
import { useStaged } from "./staged.tsx";
import { useThread } from "./thread.ts";

interface ThreadPanelProps {
  readonly room: Room;
  readonly root: number;
  readonly members: readonly MemberRow[];
  readonly mayPin: boolean;
  readonly nameOf: NameOf;
  readonly onRemove: (message: Message) => void;
  readonly attempt: (work: Promise<unknown>) => void;
  readonly onClose: () => void;
}

/** A thread beside its room: the message that began it, the answers, and where to answer. */
export function ThreadPanel(props: ThreadPanelProps): ReactNode {
  const { room, root, members, mayPin, nameOf, onRemove, attempt, onClose } = props;
  const me = useMe();
  const thread = useThread(room.id, root);
  const staged = useStaged();
  const [writing, setWriting] = useState<Writing | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const bySeq = new Map((thread ?? []).map((message) => [message.seq, message]));
  const replies = (thread ?? []).filter(({ seq }) => seq !== root).length;
  const last = thread?.at(-1);

  // The newest answer is in sight.
  useEffect(() => {
    list.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
  }, [last]);

  return (
    <Panel title="Thread" onClose={onClose}>
      <ol ref={list} className="thread" aria-label="Answers" aria-busy={thread === null}>
        {(thread ?? []).map((message, at) => (
          <MessageLine
            key={keyOf(message)}
            message={message}
            day={null}
            isNew={false}
            isFirst
            isCurrent={chosen === null ? at === replies : keyOf(message) === chosen}
            isWanted={false}
            quoted={message.reply_to === null ? null : bySeq.get(message.reply_to) ?? null}
            thread={null}
            root={root}
            me={me}
            mayPin={mayPin}
            nameOf={nameOf}
            onCurrent={setChosen}
            onWrite={setWriting}
            onRemove={onRemove}
            onThread={() => undefined}
            attempt={attempt}
          />
        ))}
        {thread !== null && replies === 0 && (
          <li className="hint soft">Nobody has answered yet. Be the first.</li>
        )}
      </ol>
      <Composer
        room={room}
        thread={root}
        staged={staged}
        writing={writing}
        members={members}
        nameOf={nameOf}
        onDone={() => setWriting(null)}
        onEditLast={() => {
          const own = thread?.findLast((each) => each.sender_id === me && each.seq !== null);
          if (own !== undefined) setWriting({ kind: "edit", message: own });
        }}
        attempt={attempt}
      />
    </Panel>
  );
}
