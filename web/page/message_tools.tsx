import { type ReactNode, useState } from "react";
import type { Message } from "../src/index.ts";
import { Icon } from "./icons.tsx";
import type { MessageProps } from "./message.tsx";
import { ToolsForOthers } from "./moderate.tsx";
import { useClient } from "./page.ts";
import { useServer } from "./server.ts";

const EMOJI = ["👍", "❤️", "😂", "🎉", "😮", "🙏"];

type ReactionsProps = Pick<MessageProps, "message" | "me" | "nameOf" | "attempt">;

/** Who stands by which emoji. */
export function Reactions({ message, me, nameOf, attempt }: ReactionsProps): ReactNode {
  const parley = useClient();
  const some = Object.entries(message.reactions);
  if (some.length === 0 || message.deleted_at !== null) return null;
  return (
    <ul className="reactions" aria-label="Reactions">
      {some.map(([emoji, who]) => {
        const isOn = who.includes(me);
        const names = who.map((each) => each === me ? "you" : nameOf(each)).join(", ");
        return (
          <li key={emoji}>
            <button
              type="button"
              title={names}
              aria-label={`${emoji} ${who.length}: ${names}`}
              aria-pressed={isOn}
              onClick={() =>
                attempt(isOn ? parley.unreact(message, emoji) : parley.react(message, emoji))}
            >
              {emoji} {who.length}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** What can be done with a message. */
export function Tools(props: MessageProps): ReactNode {
  const { message, me, root, mayPin, onWrite, onRemove, onThread, attempt } = props;
  const server = useServer();
  const [isReacting, setReacting] = useState(false);

  if (isReacting) return <EmojiRow {...props} onDone={() => setReacting(false)} />;
  return (
    <div className="tools" role="toolbar" aria-label="With this message">
      <Tool icon="smile" name="React" onUse={() => setReacting(true)} />
      <Tool icon="reply" name="Reply" onUse={() => onWrite({ kind: "reply", message })} />
      {root === null && (
        <Tool
          icon="thread"
          name="Open the thread"
          onUse={() => onThread(message.thread_root ?? message.seq ?? 0)}
        />
      )}
      {mayPin && (
        <Tool
          icon="pin"
          name={message.is_pinned ? "Unpin" : "Pin"}
          onUse={() =>
            attempt(
              server.call(message.is_pinned ? "unpin_message" : "pin_message", {
                room_id: message.room_id,
                seq: message.seq,
              }),
            )}
        />
      )}
      {message.sender_id !== me && <ToolsForOthers message={message} onRemove={onRemove} />}
      {message.sender_id === me && (
        <>
          <Tool icon="pencil" name="Edit" onUse={() => onWrite({ kind: "edit", message })} />
          <Tool icon="trash" name="Delete" onUse={() => onRemove(message)} />
        </>
      )}
    </div>
  );
}

interface ToolProps {
  readonly icon: Parameters<typeof Icon>[0]["name"];
  readonly name: string;
  readonly onUse: () => void;
}

/** One of the tools. */
export function Tool({ icon, name, onUse }: ToolProps): ReactNode {
  return (
    <button type="button" aria-label={name} title={name} onClick={onUse}>
      <Icon name={icon} />
    </button>
  );
}

interface EmojiRowProps {
  readonly message: Message;
  readonly onDone: () => void;
  readonly attempt: (work: Promise<unknown>) => void;
}

function EmojiRow({ message, onDone, attempt }: EmojiRowProps): ReactNode {
  const parley = useClient();

  function leave(from: HTMLElement): void {
    from.closest("li")?.focus();
    onDone();
  }

  return (
    <div
      className="tools emoji"
      role="toolbar"
      aria-label="React with"
      onKeyDown={(event) => event.key === "Escape" && leave(event.currentTarget)}
    >
      {EMOJI.map((emoji, at) => (
        <button
          key={emoji}
          type="button"
          autoFocus={at === 0}
          onClick={(event) => {
            attempt(parley.react(message, emoji));
            leave(event.currentTarget);
          }}
        >
          {emoji}
        </button>
      ))}
    </div>
  );
}
