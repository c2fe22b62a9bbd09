import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { type Message, ParleyError, type Room } from "../src/index.ts";
import { DownButton } from "./down_button.tsx";
import { MessageLine } from "./message.tsx";
import { useMe } from "./page.ts";
import type { NameOf } from "./people.ts";
import { arrive } from "./place.ts";
import { useReading } from "./reading.ts";
import type { Writing } from "./room.tsx";
import { said } from "./said.ts";
import { useScrolling } from "./scrolling.ts";
import { day, dayOf } from "./time.ts";
import { useTimeline } from "./timeline.ts";

/** Messages of one person that follow each other this closely stand together. */
const TOGETHER_MS = 5 * 60_000;

interface MessagesProps {
  readonly room: Room;
  /** The newest message of the room, which may be far below what is shown. */
  readonly newest: Message | undefined;
  readonly wanted: number | null;
  readonly mayPin: boolean;
  readonly nameOf: NameOf;
  readonly markRead: () => Promise<void>;
  readonly onWrite: (writing: Writing) => void;
  readonly onRemove: (message: Message) => void;
  readonly onThread: (root: number) => void;
  readonly attempt: (work: Promise<unknown>) => void;
}

/** The key of a message: the same before and after it was sent. */
export function keyOf(message: Message): string {
  return message.client_id ?? message.id ?? String(message.seq);
}

/**
 * The messages of a room, with a line for each day and one where what is new begins.
 *
 * It is one stop of the Tab key; arrows go from message to message, and Tab on to what can be done with one.
 */
export function Messages(props: MessagesProps): ReactNode {
  const { room, newest, wanted, mayPin, nameOf, onWrite, onRemove, onThread, attempt } = props;
  const me = useMe();
  const { span, timeline } = useTimeline(room.id);
  const { messages, threads, hasOlder, hasNewer, isLoading } = span;
  const frame = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const [found, setFound] = useState<number | null>(null);
  const [hasBegun, setBegun] = useState(false);
  const list = useScrolling(
    frame,
    [messages, threads, isLoading],
    hasNewer,
    () => hasOlder && attempt(timeline.older()),
    () => hasNewer && attempt(timeline.newer()),
  );
  const { newFrom, clear } = useReading(
    room,
    messages,
    me,
    hasBegun && list.isAtEnd,
    props.markRead,
  );
  const last = messages.at(-1);
  const current = messages.some((message) => keyOf(message) === chosen)
    ? chosen
    : last === undefined
    ? null
    : keyOf(last);
  const bySeq = useMemo(
    () => new Map(messages.map((message) => [message.seq, message])),
    [messages],
  );

  function toEnd(): void {
    attempt(timeline.toEnd().then(list.toEnd));
  }

  // A room opens where what is new begins, or at its end; or at the message that was asked for.
  useLayoutEffect(() => {
    if (isLoading || hasBegun) return;
    if (wanted === null && newFrom !== null) list.show(newFrom, "nearest");
    setBegun(true);
  }, [isLoading, hasBegun]);
  useEffect(() => {
    if (wanted === null && !hasBegun) attempt(timeline.toEnd());
    if (wanted === null) return;
    attempt(
      timeline.jump(wanted).then((isHere) => {
        arrive(room.id);
        if (!isHere) {
          throw new ParleyError("message_not_found", "This message is not here, or no longer.");
        }
        setFound(wanted);
      }),
    );
  }, [timeline, wanted]);
  useEffect(() => {
    if (found === null || !list.show(found, "center")) return;
    frame.current?.querySelector<HTMLElement>(`[data-seq="${found}"]`)?.focus({
      preventScroll: true,
    });
  }, [found]);

  // A screen that is not full has room for more.
  useEffect(list.look, [messages, hasOlder, hasNewer]);
  // What came while somebody was here is not kept for ever.
  useEffect(() => {
    if (list.isAtEnd) attempt(timeline.toEnd());
  }, [list.isAtEnd, newest?.seq]);

  // Whoever sends something wants to see it.
  const newestOwn = newest?.sender_id === me ? keyOf(newest) : null;
  const own = useRef(newestOwn);
  useEffect(() => {
    if (newestOwn === null || newestOwn === own.current) return;
    own.current = newestOwn;
    clear();
    toEnd();
  }, [newestOwn]);

  function step(event: KeyboardEvent<HTMLOListElement>): void {
    const lines = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-key]")];
    const at = lines.indexOf(event.target as HTMLElement);
    if (at < 0) return;
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: lines.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    lines[next]?.focus();
  }

  return (
    <div className="conversation">
      <div className="messages" ref={frame} onScroll={list.onScroll}>
        <ol aria-label="Messages" aria-busy={isLoading} onKeyDown={step}>
          {messages.map((message, at) => {
            const before = messages[at - 1];
            const isNewDay = before === undefined ||
              dayOf(before.created_at) !== dayOf(message.created_at);
            const isNew = message.seq !== null && message.seq === newFrom;
            const key = keyOf(message);
            return (
              <MessageLine
                key={key}
                message={message}
                day={isNewDay ? day(message.created_at) : null}
                isNew={isNew}
                isFirst={isNewDay || isNew || !areTogether(before, message)}
                isCurrent={key === current}
                isWanted={found !== null && message.seq === found}
                quoted={message.reply_to === null ? null : bySeq.get(message.reply_to) ?? null}
                thread={threads[message.seq ?? 0] ?? null}
                root={null}
                me={me}
                mayPin={mayPin}
                nameOf={nameOf}
                onCurrent={setChosen}
                onWrite={onWrite}
                onRemove={onRemove}
                onThread={onThread}
                attempt={attempt}
              />
            );
          })}
        </ol>
      </div>
      <p className="unseen" aria-live="polite">{announcement(newest, me, nameOf)}</p>
      {(!list.isAtEnd || hasNewer) && <DownButton unread={room.unread} onClick={toEnd} />}
    </div>
  );
}

function areTogether(before: Message, message: Message): boolean {
  return before.kind === "text" && before.sender_id === message.sender_id &&
    Date.parse(message.created_at) - Date.parse(before.created_at) < TOGETHER_MS;
}

/** What a screen reader says when somebody else has written. */
function announcement(last: Message | undefined, me: string, nameOf: NameOf): string {
  if (last === undefined || last.sender_id === me) return "";
  return last.kind === "system"
    ? said(last, nameOf)
    : `${nameOf(last.sender_id)}: ${said(last, nameOf)}`;
}
