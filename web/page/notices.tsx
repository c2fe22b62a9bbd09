import { type ReactNode, useEffect, useState } from "react";
import { useNotifications, useRooms } from "../react/index.ts";
import type { Notification } from "../src/index.ts";
import { useAttempt } from "./attempt.ts";
import { moment } from "./durations.ts";
import { Avatar, Icon } from "./icons.tsx";
import { happened, textIn } from "./notifications.ts";
import { useClient } from "./page.ts";
import { Drawer } from "./drawer.tsx";
import { titleOf, useNames } from "./people.ts";
import { addressOf } from "./place.ts";
import { said } from "./said.ts";

/** The notification centre: what called this person, newest first. */
export function Notices({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { notifications, isLoading, markRead } = useNotifications();
  const { rooms } = useRooms();
  const nameOf = useNames();
  const { refusal, isBusy, attempt } = useAttempt();
  const titles = new Map(rooms.map((room) => [room.id, titleOf(room, nameOf)]));
  const [newest] = notifications;

  return (
    <Drawer title="Notifications" onClose={onClose}>
      <div className="answers">
        <button
          type="button"
          disabled={isBusy || newest === undefined || newest.is_read}
          onClick={() => newest !== undefined && attempt(() => markRead(newest.seq))}
        >
          <Icon name="ticks" /> Mark all as read
        </button>
      </div>
      <p className="refusal" role="alert">{refusal}</p>
      <ul className="notices">
        {notifications.map((each) => (
          <li key={each.seq}>
            <Line
              notification={each}
              isHere={titles.has(each.room_id ?? "")}
              line={happened(each, titles.get(each.room_id ?? "") ?? null, nameOf)}
              onSeen={() => void attempt(() => markRead(each.seq))}
            />
          </li>
        ))}
      </ul>
      {!isLoading && newest === undefined && (
        <div className="empty">
          <Icon name="bell" />
          <p>Nothing has called you yet.</p>
          <p className="soft">Mentions, answers and invitations come here.</p>
        </div>
      )}
    </Drawer>
  );
}

interface LineProps {
  readonly notification: Notification;
  readonly line: string;
  /** This person is in the room that it is about. */
  readonly isHere: boolean;
  readonly onSeen: () => void;
}

function Line({ notification, line, isHere, onSeen }: LineProps): ReactNode {
  const { actor_id, room_id, message_seq, kind, created_at, is_read } = notification;
  const nameOf = useNames();
  const words = useWords(notification);
  const inside = (
    <>
      <Avatar id={actor_id ?? kind} name={actor_id === null ? "!" : nameOf(actor_id)} />
      <span className="what">
        <span>{line}</span>
        {words !== "" && <span className="soft">{words}</span>}
        <time className="soft" dateTime={created_at}>{moment(created_at)}</time>
      </span>
      {!is_read && (
        <span className="dot">
          <span className="unseen">unread</span>
        </span>
      )}
    </>
  );
  const className = is_read ? "row" : "row new";
  if (room_id === null || !isHere) {
    return <button type="button" className={className} onClick={onSeen}>{inside}</button>;
  }
  return (
    <a
      href={addressOf(room_id, message_seq)}
      className={className}
      onClick={() => !is_read && onSeen()}
    >
      {inside}
    </a>
  );
}

/** What was said there, if the copy has it; of a report, how it ended. */
function useWords(notification: Notification): string {
  const { room_id, message_seq } = notification;
  const resolution = textIn(notification, "resolution");
  const parley = useClient();
  const nameOf = useNames();
  const [words, setWords] = useState("");
  useEffect(() => {
    let isWanted = true;
    if (room_id !== null && message_seq !== null) {
      void parley.messages(room_id, { before: message_seq + 1, page_size: 1 }).then(([found]) => {
        if (isWanted && found?.seq === message_seq) setWords(said(found, nameOf));
      });
    }
    return () => void (isWanted = false);
  }, [parley, room_id, message_seq, nameOf]);
  return resolution || words;
}
