import { type ReactNode, useSyncExternalStore } from "react";
import { useRooms } from "../react/index.ts";
import { Icon } from "./icons.tsx";
import { usePage, useStatus } from "./page.ts";
import { titleOf, useNames } from "./people.ts";

/** What arrives, for the curious: each change with its number and how long it was on its way. */
export function StreamPanel({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { stream } = usePage();
  const { events, lines } = useSyncExternalStore(stream.subscribe, stream.snapshot);
  const status = useStatus();
  const { rooms } = useRooms();
  const nameOf = useNames();
  const titles = new Map(rooms.map((room) => [room.id, titleOf(room, nameOf)]));
  const lags = lines.map((line) => line.lag_ms).filter((lag) => lag !== null);

  return (
    <aside className="stream" aria-label="Stream">
      <header>
        <h2>Stream</h2>
        <button type="button" className="quiet" aria-label="Close the stream" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <dl>
        <div>
          <dt>Connection</dt>
          <dd>{status.state}{status.is_behind ? ", behind" : ""}</dd>
        </div>
        <div>
          <dt>This tab</dt>
          <dd>{status.is_leader ? "leads" : "follows"}</dd>
        </div>
        <div>
          <dt>Events</dt>
          <dd>{events}</dd>
        </div>
        <div>
          <dt>Newest lag</dt>
          <dd>{lags[0] === undefined ? "none yet" : `${lags[0]} ms`}</dd>
        </div>
      </dl>
      <ol>
        {lines.map((line) => (
          <li key={line.key}>
            <span className="rev">rev {line.rev}</span>
            <span className="where">{titles.get(line.room_id) ?? "A room"}</span>
            <span className="lag">{line.lag_ms === null ? "" : `${line.lag_ms} ms`}</span>
            <span className="rows soft">{line.rows}</span>
          </li>
        ))}
      </ol>
      {lines.length === 0 && (
        <p className="soft">
          Nothing has changed since this page was opened.
        </p>
      )}
    </aside>
  );
}
