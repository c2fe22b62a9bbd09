import { type ReactNode, useCallback, useState } from "react";
import { useRoom } from "../react/index.ts";
import { type Message, ParleyError } from "../src/index.ts";
import { Composer } from "./composer.tsx";
import { Dialog } from "./dialog.tsx";
import { Gone, useLast } from "./gone.tsx";
import { Icon } from "./icons.tsx";
import { lazily } from "./lazily.tsx";
import { Messages } from "./messages.tsx";
import { useClient, useMe } from "./page.ts";
import { titleOf, useMembers, useNames } from "./people.ts";
import { go } from "./place.ts";
import { AboutButton, RoomHead } from "./room_head.tsx";
import { useOneBeside } from "./shown.ts";
import { useDropZone, useStaged } from "./staged.tsx";

const ThreadPanel = lazily(async () => (await import("./thread_panel.tsx")).ThreadPanel);
const PinsPanel = lazily(async () => (await import("./pins_panel.tsx")).PinsPanel);

const PINNERS: readonly string[] = ["owner", "admin", "moderator"];

interface RoomProps {
  readonly room_id: string;
  /** The message that was asked for. */
  readonly seq: number | null;
}

/** What the composer is for: a new message, an answer, or an edit. */
export interface Writing {
  readonly kind: "reply" | "edit";
  readonly message: Message;
}

/** What stands beside a room: a thread by its first message, or the pins. */
type Beside = { readonly root: number } | "pins" | null;

/** A room on the screen. */
export function Room({ room_id, seq }: RoomProps): ReactNode {
  const { room, messages, typists, isLoading, markRead } = useRoom(room_id);
  const parley = useClient();
  const me = useMe();
  const nameOf = useNames();
  const members = useMembers(room_id);
  const staged = useStaged();
  const zone = useDropZone(staged.add);
  const [writing, setWriting] = useState<Writing | null>(null);
  const [removing, setRemoving] = useState<Message | null>(null);
  const [beside, setBeside] = useState<Beside>(null);
  const [refusal, setRefusal] = useState("");
  const openThread = useCallback((root: number) => setBeside({ root }), []);
  const closeBeside = useCallback(() => setBeside(null), []);

  const attempt = useCallback((work: Promise<unknown>) => {
    work.then(() => setRefusal(""), (error: unknown) => {
      if (!(error instanceof ParleyError)) throw error;
      setRefusal(`${error.detail} ${error.hint}`);
    });
  }, []);

  const title = room === null ? null : titleOf(room, nameOf);
  const lastTitle = useLast(title);
  useOneBeside(beside !== null, closeBeside);
  if (room === null || title === null) {
    if (isLoading) return <main className="nothing" aria-busy="true" />;
    return <Gone room_id={room_id} title={lastTitle} />;
  }
  const role = members.find((each) => each.user_id === me)?.role ?? "reader";
  const mayPin = (room.other_id !== null || PINNERS.includes(role)) &&
    room.row?.archived_at == null;
  return (
    <>
      <main className="room" aria-label={title} {...zone.on}>
        <header>
          <button
            type="button"
            className="quiet back"
            aria-label="All rooms"
            onClick={() => go(null)}
          >
            <Icon name="back" />
          </button>
          <RoomHead room={room} title={title} members={members} nameOf={nameOf} />
          <button
            type="button"
            className="quiet"
            aria-label="Pinned messages"
            title="Pinned messages"
            aria-pressed={beside === "pins"}
            onClick={() => setBeside(beside === "pins" ? null : "pins")}
          >
            <Icon name="pin" />
          </button>
          <AboutButton room={room} />
        </header>
        <Messages
          room={room}
          newest={messages.at(-1)}
          wanted={seq}
          mayPin={mayPin}
          nameOf={nameOf}
          markRead={markRead}
          onWrite={setWriting}
          onRemove={setRemoving}
          onThread={openThread}
          attempt={attempt}
        />
        <p className="typing soft" role="status">{typingLine(typists.map(nameOf))}</p>
        {refusal !== "" && <p className="refusal" role="alert">{refusal}</p>}
        <Composer
          room={room}
          staged={staged}
          writing={writing}
          members={members}
          nameOf={nameOf}
          onDone={() => setWriting(null)}
          onEditLast={() => {
            const last = messages.findLast((message) =>
              message.sender_id === me && message.kind === "text" && message.seq !== null &&
              message.deleted_at === null
            );
            if (last !== undefined) setWriting({ kind: "edit", message: last });
          }}
          attempt={attempt}
        />
        {zone.isOver && (
          <div className="drop-here" aria-hidden="true">
            <Icon name="clip" /> Drop files to send them to {title}
          </div>
        )}
        {removing !== null && (
          <Dialog
            title="Delete this message?"
            onClose={() => setRemoving(null)}
          >
            <p className="quoted">{removing.body}</p>
            <p className="soft">It disappears for everybody in the room.</p>
            <div className="answers">
              <button type="button" onClick={() => setRemoving(null)}>Keep it</button>
              <button
                type="button"
                className="primary danger"
                onClick={() => {
                  attempt(parley.remove(removing));
                  setRemoving(null);
                }}
              >
                Delete
              </button>
            </div>
          </Dialog>
        )}
      </main>
      {beside === "pins" && (
        <PinsPanel
          room={room}
          mayPin={mayPin}
          nameOf={nameOf}
          attempt={attempt}
          onClose={closeBeside}
        />
      )}
      {beside !== null && beside !== "pins" && (
        <ThreadPanel
          key={beside.root}
          room={room}
          root={beside.root}
          members={members}
          mayPin={mayPin}
          nameOf={nameOf}
          onRemove={setRemoving}
          attempt={attempt}
          onClose={closeBeside}
        />
      )}
    </>
  );
}

function typingLine(names: readonly string[]): string {
  if (names.length === 0) return "";
  if (names.length > 2) return "Several people are typing…";
  return `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing…`;
}
