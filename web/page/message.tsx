import { memo, type ReactNode, useState } from "react";
import type { Message, MessageState } from "../src/index.ts";
import { Attachments } from "./attachments.tsx";
import { Failure } from "./failure.tsx";
import { Folded } from "./folded.tsx";
import { Avatar, Icon } from "./icons.tsx";
import { Reactions, Tools } from "./message_tools.tsx";
import { keyOf } from "./messages.tsx";
import type { NameOf } from "./people.ts";
import { addressOf } from "./place.ts";
import type { Thread } from "./replies.ts";
import type { Writing } from "./room.tsx";
import { said } from "./said.ts";
import { ThreadLine } from "./thread_line.tsx";
import { clock } from "./time.ts";

export interface MessageProps {
  readonly message: Message;
  /** The day that begins with it. */
  readonly day: string | null;
  /** It is the first one that somebody has not seen. */
  readonly isNew: boolean;
  /** The first of some of one person. */
  readonly isFirst: boolean;
  /** The one that the Tab key goes to. */
  readonly isCurrent: boolean;
  readonly isWanted: boolean;
  /** The message that it answers, if that is on the screen. */
  readonly quoted: Message | null;
  /** The thread that it began. */
  readonly thread: Thread | null;
  readonly me: string;
  readonly mayPin: boolean;
  readonly nameOf: NameOf;
  readonly onCurrent: (key: string) => void;
  readonly onWrite: (writing: Writing) => void;
  readonly onRemove: (message: Message) => void;
  /** The first message of the thread that is shown: answers to it need no quote. Null outside of threads. */
  readonly root: number | null;
  readonly onThread: (root: number) => void;
  readonly attempt: (work: Promise<unknown>) => void;
}

/** Between a text and its time, for whoever copies both. */
const GAP = " ";

/** One message; it renders again when something about it changed. */
export const MessageLine = memo(function MessageLine(props: MessageProps): ReactNode {
  const { message, day, isNew, isFirst, isCurrent, isWanted, quoted, thread, me } = props;
  const { root, nameOf, onCurrent, onThread, attempt } = props;
  const [isHovered, setHovered] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const isMine = message.sender_id === me;
  const key = keyOf(message);
  const sender = isMine ? "You" : nameOf(message.sender_id);
  const isGone = message.deleted_at !== null;
  const isHidden = isGone || message.is_folded || message.is_unreadable;
  const isSent = message.seq !== null && message.kind === "text";
  const lines = (
    <>
      {day !== null && (
        <li className="day">
          <span>{day}</span>
        </li>
      )}
      {isNew && (
        <li className="new-line">
          <span>New messages</span>
        </li>
      )}
    </>
  );

  if (message.kind === "system") {
    return (
      <>
        {lines}
        <li className="event soft" data-key={key} data-seq={message.seq}>
          {said(message, nameOf)}
        </li>
      </>
    );
  }
  const words = ["message", isMine ? "mine" : "theirs"];
  if (isFirst) words.push("first");
  if (isWanted) words.push("wanted");
  if (message.state === "failed" || message.state === "discarded") words.push("failed");
  return (
    <>
      {lines}
      <li
        className={words.join(" ")}
        data-key={key}
        data-seq={message.seq}
        tabIndex={isCurrent ? 0 : -1}
        onFocus={() => {
          onCurrent(key);
          setFocused(true);
        }}
        onBlur={(event) => setFocused(event.currentTarget.contains(event.relatedTarget))}
        onPointerOver={() => setHovered(true)}
        onPointerLeave={() => setHovered(false)}
      >
        {!isMine && (isFirst ? <Avatar id={message.sender_id} name={sender} /> : <span />)}
        <div className="bubble">
          {isFirst && (
            <p className={isMine ? "unseen" : "sender"}>
              {sender}
              {message.sender_label !== null && !isMine && (
                <span className="soft">{message.sender_label}</span>
              )}
            </p>
          )}
          {message.is_pinned && !isGone && (
            <p className="pinned soft">
              <Icon name="pin" /> Pinned
            </p>
          )}
          {message.reply_to !== null && message.reply_to !== root && !isGone && (
            <Quote message={message} quoted={quoted} nameOf={nameOf} />
          )}
          {!isHidden && <Attachments message={message} />}
          {message.is_folded && !isGone
            ? <Folded message={message} nameOf={nameOf} />
            : (isHidden || message.body !== "" || message.attachments.length === 0) && (
              <p className={isHidden ? "body gone" : "body"}>{said(message, nameOf)}</p>
            )}
          {GAP}
          <p className="meta soft">
            {message.edited_at !== null && !isGone && <span>edited</span>}
            <time dateTime={message.created_at}>{clock(message.created_at)}</time>
            {isMine && !isGone && <Tick state={message.state} />}
          </p>
          <Reactions message={message} me={me} nameOf={nameOf} attempt={attempt} />
          {(isHovered || isFocused) && isSent && !isGone && <Tools {...props} />}
        </div>
        {thread !== null && root === null && (
          <ThreadLine
            thread={thread}
            nameOf={nameOf}
            onOpen={() => message.seq !== null && onThread(message.seq)}
          />
        )}
        <Failure message={message} attempt={attempt} />
      </li>
    </>
  );
});

interface QuoteProps {
  readonly message: Message;
  readonly quoted: Message | null;
  readonly nameOf: NameOf;
}

function Quote({ message, quoted, nameOf }: QuoteProps): ReactNode {
  return (
    <a className="quote" href={addressOf(message.room_id, message.reply_to)}>
      {quoted === null ? "An earlier message" : (
        <>
          <b>{nameOf(quoted.sender_id)}</b> {said(quoted, nameOf)}
        </>
      )}
    </a>
  );
}

const STATES = {
  pending: { icon: "clock", word: "Waiting to be sent" },
  sent: { icon: "tick", word: "Sent" },
  delivered: { icon: "ticks", word: "Delivered" },
  read: { icon: "ticks", word: "Read" },
  failed: { icon: "alert", word: "Not sent" },
  discarded: { icon: "alert", word: "Not sent" },
} as const;

function Tick({ state }: { readonly state: MessageState }): ReactNode {
  const { icon, word } = STATES[state];
  return (
    <span className={`tick ${state}`} title={word}>
      <Icon name={icon} />
      <span className="unseen">{word}</span>
    </span>
  );
}
