/** What is done in a tab: written down, shown at once, and brought to the server by the leader. */
import { change } from "./change.ts";
import { type Draft, isOnItsWay } from "./draft.ts";
import { ParleyError } from "./errors.ts";
import { type Action, addAction, dismissAction, retryAction, saidWith, written } from "./outbox.ts";
import { Overlay } from "./overlay.ts";
import type { AttachOptions, SendOptions } from "./parley.ts";
import { isFull } from "./prune.ts";
import type { Storage } from "./storage/storage.ts";
import type { FileRecord } from "./storage/tables.ts";
import type { Tabs } from "./tabs.ts";
import type { Change, Message } from "./types.ts";
import { safeName } from "./uploader.ts";

const UNKNOWN_TYPE = "application/octet-stream";

export class Actions {
  constructor(
    readonly storage: Storage,
    readonly me: string,
    /** Tell this tab what changed. */
    readonly emit: (changes: readonly Change[]) => void,
    readonly tabs: Pick<Tabs, "ask" | "id">,
  ) {}

  /** Send a message, with a file where there is one. */
  async send(
    roomId: string,
    body: string,
    options: SendOptions,
    file: FileRecord | null,
    clientId: string,
  ): Promise<Message> {
    const { reply_to, mentions, mention_all, attachments, metadata } = options;
    const said = saidWith({ body, reply_to, mentions, mention_all, attachments, metadata });
    const action: Action = { kind: "send", room_id: roomId, client_id: clientId, said };
    const item = await this.#write(roomId, (draft) => addAction(draft, action, file));
    return new Overlay([item], this.me).unnumbered()[0] as Message;
  }

  /** Send a file with a message. */
  attach(roomId: string, file: Blob, options: AttachOptions): Promise<Message> {
    const { body = "", name, mime_type, width, height, duration, blurhash, ...rest } = options;
    const called = name ?? (file instanceof File ? file.name : "file");
    const clientId = crypto.randomUUID();
    const path = `${roomId}/${crypto.randomUUID()}/${safeName(called)}`;
    const type = mime_type ?? (file.type || UNKNOWN_TYPE);
    const facts = Object.entries({ width, height, duration, blurhash }).filter(([, value]) =>
      value !== undefined
    );
    const attachment = {
      path,
      name: called,
      mime_type: type,
      size: file.size,
      ...Object.fromEntries(facts),
    };
    const record: FileRecord = {
      path,
      client_id: clientId,
      mime_type: type,
      blob: file,
      is_done: false,
    };
    return this.send(roomId, body, { ...rest, attachments: [attachment] }, record, clientId);
  }

  /** Do something to a message. */
  async act(
    kind: "edit" | "delete" | "react" | "unreact",
    message: Message,
    said: Action["said"],
  ): Promise<void> {
    const { room_id, seq, client_id } = message;
    if (seq === null && client_id === null) {
      throw new ParleyError(
        "invalid_input",
        "This message has no name.",
        "Take one from messages().",
      );
    }
    await this.#write(room_id, async (draft) => {
      const isFirst = (await draft.outbox()).every(
        (item) =>
          item.room_id !== room_id || !isOnItsWay(item) || item.client_id === null ||
          item.client_id !== client_id,
      );
      const rev = kind === "edit" && message.rev !== null && isFirst
        ? { expected_rev: message.rev }
        : {};
      await addAction(draft, {
        kind,
        room_id,
        client_id: message.sender_id === this.me ? client_id : null,
        seq,
        said: { ...saidWith(said ?? {}), ...rev },
      });
    });
  }

  /** Mark a room as read. */
  async markRead(roomId: string, seq: number | undefined): Promise<void> {
    await this.#write(roomId, async (draft) => {
      const upTo = seq ?? (await draft.room(roomId))?.last_seq ?? 0;
      await addAction(draft, { kind: "read", room_id: roomId, seq: upTo });
    });
  }

  /** Let a failed action try again, or forget it. */
  async settle(itemId: number, isOver: boolean): Promise<void> {
    const items = await this.storage.read((tx) => tx.list("outbox"));
    const item = items.find((each) => each.id === itemId);
    if (item === undefined) return;
    await this.#write(
      item.room_id,
      (draft) => isOver ? dismissAction(draft, itemId) : retryAction(draft, itemId),
    );
  }

  /** Write down what was done here, show it, and have the leader bring it to the server. */
  async #write<R>(room_id: string, work: (draft: Draft) => Promise<R>): Promise<R> {
    const { storage, me, tabs } = this;
    let result: R;
    try {
      result = await written(storage, me, work);
    } catch (error) {
      if (!isFull(error)) throw error;
      await tabs.ask({ name: "prune" });
      result = await written(storage, me, work);
    }
    this.emit([change(room_id)]);
    void tabs.ask({ name: "wake", room_id, tab: tabs.id }).catch(() => undefined);
    return result;
  }
}
