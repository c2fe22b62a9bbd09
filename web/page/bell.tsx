/** What calls this person: notifications, and for moderators reports. */
import type { ReactNode } from "react";
import { useDuties } from "./duties.ts";
import { Icon, type IconName } from "./icons.tsx";
import { useUnseen } from "./notifications.ts";
import { type PanelName, useShown } from "./shown.ts";

interface CallProps {
  readonly panel: PanelName;
  readonly icon: IconName;
  readonly name: string;
  readonly count: number;
  /** What is counted. */
  readonly of: string;
}

function Call({ panel, icon, name, count, of }: CallProps): ReactNode {
  const shown = useShown();
  return (
    <button
      type="button"
      className="quiet call"
      aria-label={count > 0 ? `${name}, ${count} ${of}` : name}
      title={name}
      aria-pressed={shown.panel === panel}
      onClick={() => shown.toggle(panel)}
    >
      <Icon name={icon} />
      {count > 0 && <span className="badge">{count > 99 ? "99+" : count}</span>}
    </button>
  );
}

/** Opens the notification centre. */
export function Bell(): ReactNode {
  const count = useUnseen();
  return <Call panel="notices" icon="bell" name="Notifications" count={count} of="unread" />;
}

/** Opens the queue of reports, for whoever deals with some. */
export function ReportsButton(): ReactNode {
  const { hasAny, open } = useDuties();
  if (!hasAny) return null;
  return <Call panel="reports" icon="shield" name="Reports" count={open} of="open" />;
}
