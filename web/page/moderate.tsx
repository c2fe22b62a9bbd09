import type { MouseEvent, ReactNode } from "react";
import type { Message } from "../src/index.ts";
import { Icon } from "./icons.tsx";
import { useMe } from "./page.ts";
import { useMembers } from "./people.ts";
import { byRank } from "./rights.ts";
import { useShown } from "./shown.ts";

interface ToolsForOthersProps {
  readonly message: Message;
  readonly onRemove: (message: Message) => void;
}

/** What can be done with a message of somebody else: report it, and for moderators delete it. */
export function ToolsForOthers({ message, onRemove }: ToolsForOthersProps): ReactNode {
  const { ask } = useShown();
  const me = useMe();
  const own = useMembers(message.room_id).find((each) => each.user_id === me);

  // What stands beside a message goes when the focus does: so the focus comes back to the message.
  function after(event: MouseEvent<HTMLElement>, work: () => void): void {
    event.currentTarget.closest("li")?.focus();
    work();
  }

  return (
    <>
      {own !== undefined && byRank(own.role, "moderator") <= 0 && (
        <button
          type="button"
          aria-label="Delete"
          title="Delete"
          onClick={(event) => after(event, () => onRemove(message))}
        >
          <Icon name="trash" />
        </button>
      )}
      <button
        type="button"
        aria-label="Report or block"
        title="Report or block"
        onClick={(event) => after(event, () => ask({ kind: "report", message }))}
      >
        <Icon name="flag" />
      </button>
    </>
  );
}
