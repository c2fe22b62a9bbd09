import type { ChatMessage } from "@/hooks/use-realtime-chat";
import styles from "./realtime-chat.module.css";

const STATES = {
  pending: "Waiting to be sent",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  failed: "Not sent",
  discarded: "Not sent",
} as const;

interface ChatMessageItemProps {
  message: ChatMessage;
  isOwnMessage: boolean;
  showHeader: boolean;
  onRetry: (itemId: number) => void;
  onDismiss: (itemId: number) => void;
}

/** A message: who and when, unless the one before has the same sender, and for an own one how far it came. */
export function ChatMessageItem(
  { message, isOwnMessage, showHeader, onRetry, onDismiss }: ChatMessageItemProps,
) {
  const { state, itemId } = message;
  return (
    <li className={isOwnMessage ? `${styles.message} ${styles.own}` : styles.message}>
      {showHeader && (
        <p className={styles.header}>
          <b>{message.user.name}</b>{" "}
          <time dateTime={message.createdAt} suppressHydrationWarning>
            {new Date(message.createdAt).toLocaleTimeString("en-US", {
              hour: "2-digit",
              minute: "2-digit",
            })}
          </time>
        </p>
      )}
      <p className={styles.bubble}>{message.content}</p>
      {isOwnMessage && state !== undefined && (
        <p className={styles.state}>
          {STATES[state]}
          {state === "failed" && typeof itemId === "number" && (
            <button
              type="button"
              onClick={() => onRetry(itemId)}
            >
              Try again
            </button>
          )}
          {(state === "failed" || state === "discarded") && typeof itemId === "number" && (
            <button
              type="button"
              onClick={() => onDismiss(itemId)}
            >
              Dismiss
            </button>
          )}
        </p>
      )}
    </li>
  );
}
