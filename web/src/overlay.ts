/** What was done here and the server has not stamped yet, laid over what it has. */
import { isOnItsWay } from "./draft.ts";
import type { Message, OutboxItem } from "./types.ts";
import { messageOf, NO_COLUMNS, PLAIN } from "./views.ts";

/** The actions of one room, each ready for the message it is about. */
export class Overlay {
  readonly #sends: OutboxItem[];
  readonly #others: OutboxItem[];

  constructor(
    items: readonly OutboxItem[],
    readonly me: string,
  ) {
    this.#sends = items.filter((item) => item.kind === "send");
    this.#others = items.filter((item) => item.kind !== "send" && isOnItsWay(item));
  }

  /** A message with the edits, the deletion and the reactions that are under way. */
  on(message: Message): Message {
    return this.#others.filter((item) => isAbout(item, message, this.me)).reduce(
      (shown, item) => changed(shown, item, this.me),
      message,
    );
  }

  /** The messages that are not in the copy yet, in the order they were sent. */
  unnumbered(): Message[] {
    return this.#sends.map((item) => this.on(draftOf(item, this.me)));
  }
}

function isAbout(item: OutboxItem, message: Message, me: string): boolean {
  if (item.seq !== null) return item.seq === message.seq;
  return (
    item.client_id !== null && message.sender_id === me && item.client_id === message.client_id
  );
}

/** A message after one action. */
function changed(message: Message, item: OutboxItem, me: string): Message {
  const { said, created_at: at } = item;
  switch (item.kind) {
    case "edit":
      return {
        ...message,
        ...(said.mentions === undefined ? {} : { mentions: said.mentions }),
        ...(said.metadata === undefined ? {} : { metadata: said.metadata }),
        body: said.body ?? "",
        edited_at: at,
      };
    case "delete":
      return { ...message, body: "", attachments: [], deleted_at: at };
    case "react":
    case "unreact": {
      const emoji = said.emoji ?? "";
      const there = Object.hasOwn(message.reactions, emoji) ? message.reactions[emoji] : undefined;
      const people = (there ?? []).filter((each) => each !== me);
      if (item.kind === "react") people.push(me);
      const reactions = { ...message.reactions, [emoji]: people.sort() };
      const standing = Object.entries(reactions).filter(([, who]) => who.length > 0);
      return { ...message, reactions: Object.fromEntries(standing) };
    }
    default:
      return message;
  }
}

/** The message that a send makes: as the server answered, or as it was written. */
function draftOf(item: OutboxItem, me: string): Message {
  const { expected_rev: _expected, emoji: _emoji, ...said } = item.said;
  const written: Message = {
    ...PLAIN,
    ...NO_COLUMNS,
    ...said,
    room_id: item.room_id,
    sender_id: me,
    client_id: item.client_id,
    created_at: item.created_at,
  };
  const { row } = item;
  const message = row === null ? written : messageOf({
    room_id: item.room_id,
    seq: row["seq"] as number,
    rev: item.rev ?? 0,
    sender_id: me,
    at: Date.parse(item.created_at) * 1000,
    words: [],
    row,
  });
  return { ...message, state: item.state, reason: item.reason, item_id: item.id };
}
