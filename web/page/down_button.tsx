import type { ReactNode } from "react";
import { Icon } from "./icons.tsx";

interface DownButtonProps {
  readonly unread: number;
  readonly onClick: () => void;
}

/** Leads to the end of a room, and tells what is new there. */
export function DownButton({ unread, onClick }: DownButtonProps): ReactNode {
  const news = unread === 0 ? "" : unread > 99 ? "99+" : String(unread);
  return (
    <button
      type="button"
      className="down"
      aria-label={news === ""
        ? "Go to the newest messages"
        : `Go to ${news} new ${unread === 1 ? "message" : "messages"}`}
      onClick={onClick}
    >
      {news !== "" && <span className="badge" aria-hidden="true">{news} new</span>}
      <Icon name="down" />
    </button>
  );
}
