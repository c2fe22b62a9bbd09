/** The client as an app meets it, and what its methods take. */
import type { ChatFunctions } from "./api.ts";
import type { MemberRow, Notification, ProfileRow } from "./models.ts";
import type { Json } from "./rows.ts";
import type { CopiedTable, RowOf, TableName } from "./table_types.ts";
import type { Change, Difference, Message, OutboxItem, Room, Status } from "./types.ts";

/** What a message may have besides its body. */
export interface SendOptions {
  readonly reply_to?: number;
  readonly mentions?: readonly string[];
  readonly mention_all?: boolean;
  readonly attachments?: readonly Json[];
  readonly metadata?: { readonly [key: string]: Json };
}

/** What a file may have besides its bytes: sizes in pixels, `duration` in seconds. */
export interface AttachOptions extends Omit<SendOptions, "attachments" | "mention_all"> {
  readonly body?: string;
  readonly name?: string;
  readonly mime_type?: string;
  readonly width?: number;
  readonly height?: number;
  readonly duration?: number;
  readonly blurhash?: string;
}

/** The arguments of a function of `chat`; nothing for one that takes none. */
export type Arguments<Name extends keyof ChatFunctions> = [ChatFunctions[Name]["Args"]] extends
  [never] ? readonly []
  : object extends ChatFunctions[Name]["Args"] ? readonly [parameters?: ChatFunctions[Name]["Args"]]
  : readonly [parameters: ChatFunctions[Name]["Args"]];

/**
 * One account in one tab: `createParley` makes it.
 *
 * Reads come from the copy, with or without a network. Actions are written down first, shown at once and
 * sent when there is a network; they outlive the tab. All of it rejects with `ParleyError` and nothing else.
 */
export interface Parley {
  /** Resolves once the copy can be read, or nobody is signed in. */
  readonly ready: Promise<void>;
  /** How the copy stands; the same object until it changes, so that stores can compare it. */
  readonly status: Status;

  /** A page of the start screen: pinned first, then by the newest message. All rooms by default. */
  rooms(options?: { readonly page_size?: number; readonly offset?: number }): Promise<Room[]>;
  /** One room; null when the copy has none. */
  room(room_id: string): Promise<Room | null>;
  /** A page, oldest first, that ends below seq `before` or with what waits to be sent. 50 by default. */
  messages(
    room_id: string,
    options?: { readonly before?: number; readonly page_size?: number },
  ): Promise<Message[]>;
  /** The people who are in a room, as far as the copy knows them. */
  members(room_id: string): Promise<MemberRow[]>;
  /** What is known of somebody. */
  profile(user_id: string): Promise<ProfileRow | null>;
  /** Everybody of whom the copy has a profile, by id. */
  people(): Promise<ProfileRow[]>;
  /** The newest notifications that are not over, newest first. 50 by default. */
  notifications(options?: { readonly page_size?: number }): Promise<Notification[]>;
  /** The ids of the people whom this account has blocked. */
  blocked(): Promise<string[]>;
  /** What was done here and is not confirmed: waiting, failed or discarded. */
  outbox(): Promise<OutboxItem[]>;
  /** Find messages as the server's search does, newest first, after the message `before`. 20 by default. */
  search(
    query: string,
    options?: { readonly room_id?: string; readonly page_size?: number; readonly before?: Message },
  ): Promise<Message[]>;

  /** Send a message; resolves to it as it is shown now: pending. */
  send(room_id: string, body: string, options?: SendOptions): Promise<Message>;
  /** Send a file with a message. Its bytes are kept first, and go on after the browser was closed. */
  attach(room_id: string, file: Blob, options?: AttachOptions): Promise<Message>;
  /** Change an own message. What is left out stays; empty `mentions` mention nobody any more. */
  edit(
    message: Message,
    body: string,
    options?: Pick<SendOptions, "mentions" | "metadata">,
  ): Promise<void>;
  /** Delete an own message, or as a moderator anybody's. */
  remove(message: Message): Promise<void>;
  /** React to a message. */
  react(message: Message, emoji: string): Promise<void>;
  /** Take a reaction back. */
  unreact(message: Message, emoji: string): Promise<void>;
  /** Mark a room as read, up to a message or as a whole. */
  markRead(room_id: string, seq?: number): Promise<void>;
  /** Let a failed action try again, at its old place. */
  retry(item_id: number): Promise<void>;
  /** Forget an action that failed or was discarded. */
  dismiss(item_id: number): Promise<void>;

  /**
   * Call any function of `chat` as this account: everything that is not above, and needs a network.
   *
   * Resolves when the copy has what it changed, such as the room it made, or the server is out of reach again.
   */
  call<Name extends keyof ChatFunctions>(
    name: Name,
    ...parameters: Arguments<Name>
  ): Promise<ChatFunctions[Name]["Returns"]>;
  /**
   * Call a function of `chat` that only reads, and let the replica of `readUrl` answer where there is one.
   *
   * The answer may be some seconds old, also about what this account has just done. The primary gives it where
   * the replica refuses or is silent for 250 ms.
   */
  read<Name extends keyof ChatFunctions>(
    name: Name,
    ...parameters: Arguments<Name>
  ): Promise<ChatFunctions[Name]["Returns"]>;
  /** Mark notifications as read, up to the one with this seq or as a whole. */
  markNotificationsRead(seq?: number): Promise<void>;
  /**
   * Fetch a file of a message, by the `path` of its attachment.
   *
   * With a `width` in pixels an image comes made smaller where the project does that, else as it is. A file that
   * waits to be sent comes from the copy. Rejects with `file_not_found`, also where it is not for this account.
   */
  download(path: string, options?: { readonly width?: number }): Promise<Blob>;
  /** The name of this browser, made up once: for `register_device` and `heartbeat`. */
  deviceId(): Promise<string>;

  /** Fetch messages from before those in the copy; resolves to how many came, 0 at the beginning. */
  older(room_id: string, options?: { readonly page_size?: number }): Promise<number>;
  /** Compare heads and pull what is missing, of the app's own tables too, now. */
  sync(): Promise<void>;
  /** Compare the copy with the server's checksums; resolves to the rooms that differ. */
  verify(): Promise<Difference[]>;
  /** Resolves when nothing in the outbox waits for the server. */
  settled(): Promise<void>;

  /** A table of the app's own that `createParley` was given in `tables`. Throws `invalid_input` for any other. */
  table<Name extends TableName>(name: Name): CopiedTable<RowOf<Name>>;

  /** Show a room: listen to its topics too, until the function that this returns is called. */
  open(room_id: string): () => void;
  /** Tell an open room that we are typing; call it with every key. */
  typing(room_id: string): void;
  /** The people who typed in an open room within the last six seconds, and may post there. */
  typists(room_id: string): readonly string[];
  /** The members who have an open room on screen, as their devices say; nobody without a connection. */
  present(room_id: string): readonly string[];

  /**
   * What changes in the copy from now on; ends with `close`.
   *
   * What waits to be taken is bounded: when it is too much, one change per room comes in its place, fresh and
   * without rows.
   */
  changes(): AsyncIterableIterator<Change>;
  /** Call a function with what changed and after each new status; returns how to stop that. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;

  /** Stop; the copy stays. */
  close(): Promise<void>;
  /** Stop and delete the copy with all that is in it, the outbox too. */
  forget(): Promise<void>;
}
