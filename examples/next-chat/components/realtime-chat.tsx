"use client";

import { type FormEvent, useEffect, useMemo, useState } from "react";
import { type ChatMessage, useRealtimeChat } from "@/hooks/use-realtime-chat";
import { ChatMessageItem } from "./chat-message";
import styles from "./realtime-chat.module.css";

interface RealtimeChatProps {
  /** The name of the room; everybody who gives the same one is in the same room. */
  roomName: string;
  /** What others see this person as. */
  username: string;
  /** Called with all messages that the server has, whenever they change; give the same function in each render. */
  onMessage?: (messages: ChatMessage[]) => void;
  /** Messages from elsewhere, shown among those of the room. */
  messages?: ChatMessage[];
}

const NONE: ChatMessage[] = [];

/** A chat as that of Supabase's UI library, that keeps its messages, without a network too. */
export function RealtimeChat(
  { roomName, username, onMessage, messages: given = NONE }: RealtimeChatProps,
) {
  const chat = useRealtimeChat({ roomName, username });
  const { messages: kept, deleted, sendMessage, isConnected, markRead } = chat;
  const [content, setContent] = useState("");
  const all = useMemo(() => merged(given, kept, deleted), [given, kept, deleted]);
  const stored = useMemo(() => all.filter(isStored), [all]);
  const newest = kept.at(-1)?.id;

  useEffect(() => onMessage?.(stored), [stored, onMessage]);

  useEffect(() => {
    if (newest !== undefined && document.hasFocus()) void markRead().catch(console.error);
  }, [newest, markRead]);

  function submit(event: FormEvent) {
    event.preventDefault();
    if (content.trim() === "" || !isConnected) return;
    void sendMessage(content).catch(console.error);
    setContent("");
  }

  return (
    <section
      className={styles.chat}
      aria-label={roomName}
      onFocus={() => void markRead().catch(() => undefined)}
    >
      <div className={styles.messages}>
        <ol role="log" aria-label="Messages">
          {all.map((message, index) => (
            <ChatMessageItem
              key={message.id}
              message={message}
              isOwnMessage={message.isOwn ?? message.user.name === username}
              showHeader={all[index - 1]?.user.name !== message.user.name}
              onRetry={chat.retry}
              onDismiss={chat.dismiss}
            />
          ))}
        </ol>
        {all.length === 0 && (
          <p className={styles.empty}>No messages yet. Start the conversation!</p>
        )}
        {chat.hasOlder && (
          <button type="button" className={styles.older} onClick={chat.loadOlder}>Older</button>
        )}
      </div>
      <p className={styles.note} role="status">
        {chat.refusal || (chat.typists.length > 0 && `${chat.typists.join(", ")} …`)}
      </p>
      <form className={styles.form} onSubmit={submit}>
        <input
          aria-label="Message"
          placeholder="Type a message..."
          autoComplete="off"
          value={content}
          disabled={!isConnected}
          onChange={(event) => {
            setContent(event.target.value);
            chat.typing();
          }}
        />
        <button type="submit" disabled={content.trim() === ""}>Send</button>
      </form>
    </section>
  );
}

/** All messages by time. Where both have one, that of the room is newer; what was deleted there stays away. */
function merged(given: ChatMessage[], kept: ChatMessage[], deleted: Set<string>): ChatMessage[] {
  const byId = new Map(given.map((each) => [each.id, each]));
  for (const id of deleted) byId.delete(id);
  for (const each of kept) byId.set(each.id, each);
  return [...byId.values()].sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
}

function isStored({ state }: ChatMessage): boolean {
  return state !== "pending" && state !== "failed" && state !== "discarded";
}
