import { type ReactNode, useEffect, useState } from "react";
import { type Message, ParleyError, type Room } from "../src/index.ts";
import { Avatar, Icon } from "./icons.tsx";
import { useClient } from "./page.ts";
import { Panel } from "./panel.tsx";
import type { NameOf } from "./people.ts";
import { addressOf } from "./place.ts";
import { withMarks } from "./remote_page.ts";
import { type Server, useServer } from "./server.ts";
import { said } from "./said.ts";
import { short } from "./time.ts";

interface PinsPanelProps {
  readonly room: Room;
  readonly mayPin: boolean;
  readonly nameOf: NameOf;
  readonly attempt: (work: Promise<unknown>) => void;
  readonly onClose: () => void;
}

/** What is pinned in a room, the last pin first; each leads to its message. */
export function PinsPanel({ room, mayPin, nameOf, attempt, onClose }: PinsPanelProps): ReactNode {
  const server = useServer();
  const { pins, isOffline } = usePins(room.id);

  return (
    <Panel title="Pinned messages" onClose={onClose}>
      <ul className="pins" aria-busy={pins === null}>
        {(pins ?? []).map((message) => (
          <li key={message.seq}>
            <a
              href={addressOf(room.id, message.seq)}
              onClick={() => matchMedia("(max-width: 70rem)").matches && onClose()}
            >
              <Avatar id={message.sender_id} name={nameOf(message.sender_id)} />
              <b>{nameOf(message.sender_id)}</b>
              <time className="soft">{short(message.created_at)}</time>
              <span className="what">{said(message, nameOf)}</span>
            </a>
            {mayPin && (
              <button
                type="button"
                className="quiet"
                aria-label="Unpin"
                title="Unpin"
                onClick={() =>
                  attempt(
                    server.call("unpin_message", { room_id: room.id, seq: message.seq }),
                  )}
              >
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {pins?.length === 0 && (
        <p className="hint soft">
          Nothing is pinned here.
          {mayPin && " Point at a message and press the pin."}
        </p>
      )}
      {isOffline && (
        <p className="hint soft" role="status">
          There is no network: pins of older messages are missing.
        </p>
      )}
    </Panel>
  );
}

interface Pins {
  /** Null until they are here. */
  readonly pins: readonly Message[] | null;
  readonly isOffline: boolean;
}

function usePins(room_id: string): Pins {
  const parley = useClient();
  const server = useServer();
  const [pins, setPins] = useState<Pins>({ pins: null, isOffline: false });

  useEffect(() => {
    let turn = 0;
    async function read(): Promise<void> {
      turn += 1;
      const asked = turn;
      const next = await readPins(server, room_id).then(
        (found) => ({ pins: found, isOffline: false }),
        async (error: unknown) => {
          if (!(error instanceof ParleyError)) throw error;
          const local = await parley.messages(room_id, { page_size: 200 });
          return { pins: local.filter(({ is_pinned }) => is_pinned).reverse(), isOffline: true };
        },
      );
      if (asked === turn) setPins(next);
    }
    void read();
    const stop = parley.subscribe((changes) => {
      const isAbout = changes.some(({ room_id: where, rows, is_fresh }) =>
        where === room_id && (is_fresh || "pins" in rows || "messages" in rows)
      );
      if (isAbout) void read();
    });
    return () => {
      turn = -1;
      stop();
    };
  }, [parley, server, room_id]);
  return pins;
}

async function readPins(server: Server, room_id: string): Promise<Message[]> {
  const { chat } = server;
  const pins = await server.rows(
    chat.from("pins").select().eq("room_id", room_id).is("removed_at", null)
      .order("pinned_at", { ascending: false }),
  );
  const seqs = pins.map(({ seq }) => seq);
  if (seqs.length === 0) return [];
  const rows = await server.rows(
    chat.from("messages").select().eq("room_id", room_id).in("seq", seqs).is("deleted_at", null),
  );
  const messages = await withMarks(server, room_id, rows);
  return messages.sort((a, b) => seqs.indexOf(a.seq) - seqs.indexOf(b.seq));
}
