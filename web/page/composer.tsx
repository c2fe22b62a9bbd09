import {
  type FormEvent,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import { useRoom } from "../react/index.ts";
import type { MemberRow, Room } from "../src/index.ts";
import { keepDraft, readDraft } from "./drafts.ts";
import { Avatar, Icon } from "./icons.tsx";
import { type Candidate, candidatesFor, mentionedIn, nameBefore } from "./mentions.ts";
import { useClient, useMe, usePage } from "./page.ts";
import type { NameOf } from "./people.ts";
import type { Writing } from "./room.tsx";
import { said } from "./said.ts";
import { AttachButton, factsOf, type Staged, Tray } from "./staged.tsx";

interface ComposerProps {
  readonly room: Room;
  /** The first message of the thread that is written in; null in the room itself. */
  readonly thread?: number | null;
  readonly staged: Staged;
  readonly writing: Writing | null;
  readonly members: readonly MemberRow[];
  readonly nameOf: NameOf;
  readonly onDone: () => void;
  readonly onEditLast: () => void;
  readonly attempt: (work: Promise<unknown>) => void;
}

/** Where people write. Enter sends, with Shift it is a new line; what is not sent is kept as a draft. */
export function Composer(props: ComposerProps): ReactNode {
  const { room, thread = null, staged, writing, members, nameOf, onDone, onEditLast, attempt } =
    props;
  const { send, typing } = useRoom(room.id);
  const parley = useClient();
  const { files } = usePage();
  const me = useMe();
  const field = useRef<HTMLTextAreaElement>(null);
  const list = useId();
  const draft = thread === null ? room.id : `${room.id}-${thread}`;
  const [body, setBody] = useState(() => readDraft(me, draft));
  const [caret, setCaret] = useState(0);
  const [at, setAt] = useState(0);
  const edited = writing?.kind === "edit" ? writing.message : null;
  const own = members.find((each) => each.user_id === me);
  const mayPost = own?.role !== "reader" && room.row?.archived_at == null;
  const isEmpty = body.trim() === "" && (staged.files.length === 0 || edited !== null);

  const others = members
    .filter((each) => each.user_id !== me)
    .map(({ user_id }) => ({ user_id, name: nameOf(user_id) }));
  const begun = nameBefore(body, caret);
  const candidates = begun === null ? [] : candidatesFor(begun, others);

  // Who comes with a mouse and a keyboard writes at once; on a phone the keyboard would cover the room.
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);
  useEffect(() => {
    setBody(edited?.body ?? readDraft(me, draft));
    if (writing !== null) field.current?.focus();
  }, [writing, edited, me, draft]);

  function write(text: string): void {
    setBody(text);
    if (edited === null) keepDraft(me, draft, text);
  }

  function submit(event?: FormEvent): void {
    event?.preventDefault();
    if (isEmpty) return;
    const mentions = mentionedIn(body, others);
    if (edited !== null) {
      attempt(parley.edit(edited, body, { mentions }));
    } else {
      const answered = writing?.message.seq ?? thread;
      const more = { mentions, ...(answered === null ? {} : { reply_to: answered }) };
      attempt(staged.files.length === 0 ? send(body, more) : sendFiles(body, more));
      write("");
      staged.clear();
    }
    onDone();
  }

  /** One message for each file; the text and whom it answers go with the first. */
  async function sendFiles(text: string, more: { readonly reply_to?: number }): Promise<void> {
    for (const [place, each] of staged.files.entries()) {
      const said = place === 0
        ? { ...more, body: text }
        : thread === null
        ? {}
        : { reply_to: thread };
      const sent = await parley.attach(room.id, each.file, { ...said, ...(await factsOf(each)) });
      const [attachment] = sent.attachments as readonly { readonly path: string }[];
      if (attachment !== undefined) files.keep(attachment.path, each.file);
    }
  }

  function complete({ name }: Candidate): void {
    const start = caret - (begun?.length ?? 0);
    const text = `${body.slice(0, start)}${name} ${body.slice(caret)}`;
    write(text);
    const end = start + name.length + 1;
    requestAnimationFrame(() => {
      field.current?.setSelectionRange(end, end);
      setCaret(end);
    });
  }

  function press(event: KeyboardEvent<HTMLTextAreaElement>): void {
    const candidate = candidates[at % candidates.length];
    if (event.nativeEvent.isComposing) return;
    if (candidate !== undefined && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      complete(candidate);
    } else if (candidate !== undefined && /^Arrow(Up|Down)$/.test(event.key)) {
      event.preventDefault();
      setAt((at + (event.key === "ArrowUp" ? candidates.length - 1 : 1)) % candidates.length);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape") {
      if (candidate !== undefined) setCaret(0);
      else onDone();
    } else if (event.key === "ArrowUp" && body === "") {
      event.preventDefault();
      onEditLast();
    }
  }

  if (!mayPost) {
    return <p className="composer soft">Only some people write here. You can read along.</p>;
  }
  return (
    <form className="composer" onSubmit={submit}>
      {writing !== null && (
        <div className="writing">
          <p>
            <b>{edited === null ? `Reply to ${nameOf(writing.message.sender_id)}` : "Edit"}</b>{" "}
            <span className="soft">{said(writing.message, nameOf)}</span>
          </p>
          <button type="button" className="quiet" aria-label="Leave it" onClick={onDone}>
            <Icon name="close" />
          </button>
        </div>
      )}
      {edited === null && <Tray files={staged.files} remove={staged.remove} />}
      {candidates.length > 0 && (
        <ul className="candidates" role="listbox" id={list} aria-label="People">
          {candidates.map((candidate, place) => (
            <li
              key={candidate.user_id}
              id={`${list}-${place}`}
              role="option"
              aria-selected={place === at % candidates.length}
              onMouseDown={(event) => {
                event.preventDefault();
                complete(candidate);
              }}
            >
              <Avatar id={candidate.user_id} name={candidate.name} />
              {candidate.name}
            </li>
          ))}
        </ul>
      )}
      <div className="grows" data-text={`${body}\n`}>
        <textarea
          ref={field}
          rows={1}
          value={body}
          placeholder={thread === null ? "Write a message" : "Reply in the thread"}
          aria-label={thread === null ? "Message" : "Reply in the thread"}
          role="combobox"
          aria-expanded={candidates.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={candidates.length > 0
            ? `${list}-${at % candidates.length}`
            : undefined}
          onChange={(event) => {
            write(event.target.value);
            setCaret(event.target.selectionStart);
            setAt(0);
            typing();
          }}
          onPaste={(event) => {
            if (event.clipboardData.files.length === 0 || edited !== null) return;
            event.preventDefault();
            staged.add(event.clipboardData.files);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          onBlur={() => setCaret(0)}
          onKeyDown={press}
        />
      </div>
      {edited === null && <AttachButton onFiles={staged.add} />}
      <button
        type="submit"
        className="primary send"
        aria-label={edited === null ? "Send" : "Save"}
        disabled={isEmpty}
      >
        <Icon name={edited === null ? "send" : "tick"} />
      </button>
    </form>
  );
}
