// @vitest-environment happy-dom
import { act, type ReactNode, StrictMode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  ParleyProvider,
  type RoomActions,
  useNotifications,
  useRoom,
  useRooms,
  useRows,
  useUnread,
} from "../react/index.ts";
import { change } from "../src/change.ts";
import type { Parley } from "../src/parley.ts";
import { FakeParley, line, message, OTHER, ROOM } from "./fake_parley.ts";

let fake: FakeParley;
let place: HTMLElement;
let root: Root | null;
let renders: string[];
const complain = vi.spyOn(console, "error");

beforeEach(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  fake = new FakeParley();
  fake.messages = [message(1, "one"), message(2, "two")];
  place = document.body.appendChild(document.createElement("div"));
  root = null;
  renders = [];
  complain.mockClear();
});

afterEach(async () => {
  await act(() => root?.unmount());
  expect(fake.listeners).toBe(0);
  expect(fake.open).toEqual([]);
  expect(complain).not.toHaveBeenCalled();
});

/** Show something with the client around it, and let it settle. */
async function show(children: ReactNode, parley: Parley | null = fake.parley): Promise<void> {
  await act(() => {
    root ??= createRoot(place);
    root.render(<ParleyProvider parley={parley}>{children}</ParleyProvider>);
  });
}

/** Go on from what a server rendered. */
async function goOn(html: string, page: ReactNode): Promise<void> {
  place.innerHTML = html;
  await act(() => {
    root = hydrateRoot(place, page, { onRecoverableError: (error) => console.error(error) });
  });
}

let actions: RoomActions;

/** A room as text; notes what each of its renders shows. */
function Chat({ id = ROOM }: { id?: string | null }) {
  const { messages, typists, present, isLoading, hasOlder, ...rest } = useRoom(id);
  actions = rest;
  const words = messages.map(({ body, state }) => state === "sent" ? body : `${body} (${state})`);
  const text = [
    isLoading ? "loading" : words.join(", "),
    ...typists.map((each) => `${each} types`),
    ...present.map((each) => `${each} is here`),
    ...(hasOlder ? ["more"] : []),
  ].join(" | ");
  renders.push(text);
  return <p>{text}</p>;
}

function Rooms() {
  const { rooms, isLoading } = useRooms();
  const text = isLoading ? "loading" : rooms.map((room) => room.name).join(", ");
  renders.push(text);
  return <p>{text}</p>;
}

function Badge() {
  const { unread, mentions } = useUnread();
  renders.push(`${unread} unread, ${mentions} mentions`);
  return <b>{unread}</b>;
}

let bell: ReturnType<typeof useNotifications>;

function Bell() {
  bell = useNotifications();
  const { notifications, isLoading } = bell;
  return <i>{isLoading ? "loading" : notifications.length}</i>;
}

function Payments({ status }: { status: string }) {
  const { rows, progress, isLoading } = useRows("public.payments", { status });
  const text = isLoading
    ? "loading"
    : `${rows.map((row) => row.id).join(", ")} of ${progress.about}`;
  renders.push(text);
  return <p>{text}</p>;
}

/** A change of a table of the app's own. */
const tableChange = (name: string) =>
  change(null, { table: { name, keys: [], is_fresh: true, fault: null } });

test("a room is shown with one render before it was read and one after", async () => {
  await show(<Chat />);
  expect(renders).toEqual(["loading", "one, two"]);
});

test("a room that is not known yet shows nothing, and is shown once it is", async () => {
  await show(<Chat id={null} />);
  await expect(actions.send("hello")).rejects.toThrow("There is no client or no room here.");
  await show(<Chat />);
  expect(renders).toEqual(["loading", "loading", "one, two"]);
});

test("a change is rendered once, however many it comes with", async () => {
  await show(<Chat />);
  renders = [];
  await act(() => {
    fake.messages.push(message(3, "three"));
    fake.tell(change(ROOM), change(null));
    fake.tell(change(ROOM));
  });
  expect(renders).toEqual(["one, two, three"]);
});

test("a change of what is not shown is not rendered", async () => {
  await show(
    <>
      <Chat />
      <Rooms />
    </>,
  );
  renders = [];
  await act(() => fake.tell(change(ROOM), change(OTHER), change(null)));
  expect(renders).toEqual([]);
});

test("a message is shown as it is sent, and once more when it was", async () => {
  await show(<Chat />);
  renders = [];
  await act(async () => {
    await actions.send("three");
  });
  await act(() => {
    fake.messages[2] = message(3, "three");
    fake.tell(change(ROOM));
  });
  expect(renders).toEqual(["one, two, three (pending)", "one, two, three"]);
});

test("what did not change is the same object, and so are the functions", async () => {
  const seen: ReturnType<typeof useRoom>[] = [];
  function Look() {
    seen.push(useRoom(ROOM));
    return null;
  }
  await show(<Look />);
  await act(() => {
    fake.messages.push(message(3, "three"));
    fake.tell(change(ROOM));
  });
  const [before, after] = seen.slice(-2);
  expect(after?.messages).toHaveLength(3);
  expect(after?.messages[0]).toBe(before?.messages[0]);
  expect(after?.room).toBe(before?.room);
  expect(after?.send).toBe(before?.send);
});

test("a room that was shown before is there at once, and another account sees nothing of it", async () => {
  await show(<Chat />);
  await show(<Rooms />);
  renders = [];
  await show(<Chat />);
  expect(renders).toEqual(["one, two"]);
  await show(<Rooms />);
  renders = [];
  fake.messages = [];
  await act(() => fake.become(OTHER));
  await show(<Chat />);
  expect(renders.filter((each) => each.includes("one"))).toEqual([]);
});

test("who signs out sees nothing any more, and who comes back sees all of it", async () => {
  await show(<Chat />);
  renders = [];
  await act(() => fake.become(null));
  expect(renders).toEqual(["loading", ""]);
  await act(() => fake.become(ROOM));
  expect(renders.at(-1)).toBe("one, two");
});

test("who types and who is there is shown without touching the messages", async () => {
  await show(<Chat />);
  renders = [];
  await act(() => {
    fake.typists = ["Bob"];
    fake.tell(change(ROOM));
  });
  await act(() => {
    fake.present = ["Cat"];
    fake.tell(change(ROOM));
  });
  expect(renders).toEqual(["one, two | Bob types", "one, two | Bob types | Cat is here"]);
});

test("fifty messages are shown, older ones on demand, and none goes when a new one comes", async () => {
  fake.messages = Array.from({ length: 60 }, (_, place) => message(place + 11, `${place + 11}`));
  fake.older = Array.from({ length: 10 }, (_, place) => message(place + 1, `${place + 1}`));
  const first = () => renders.at(-1)?.split(", ")[0];
  await show(<Chat />);
  expect(first()).toBe("21");
  await act(() => {
    fake.messages.push(message(71, "71"));
    fake.tell(change(ROOM));
  });
  expect([first(), renders.at(-1)?.endsWith("71 | more")]).toEqual(["21", true]);
  await act(() => actions.loadOlder());
  expect([first(), fake.older.length]).toEqual(["11", 10]);
  renders = [];
  await act(() => Promise.all([actions.loadOlder(), actions.loadOlder()]));
  expect(first()).toBe("1");
  expect(renders).toHaveLength(1);
  expect(renders[0]).not.toContain("more");
});

test("at the beginning of what may be read there are no older ones", async () => {
  fake.messages = [message(5, "five")];
  await show(<Chat />);
  expect(renders.at(-1)).toBe("five | more");
  await act(() => actions.loadOlder());
  expect(renders.at(-1)).toBe("five");
});

test("the badge renders when a count changes and not with every message", async () => {
  await show(<Badge />);
  renders = [];
  await act(() => {
    fake.rooms = [line(ROOM, { unread: 2, mentions: 1 }), line(OTHER, { unread: 3 })];
    fake.tell(change(ROOM));
  });
  await act(() => {
    fake.rooms[0] = line(ROOM, { unread: 2, mentions: 1, active_at: "later" });
    fake.tell(change(ROOM));
  });
  expect(renders).toEqual(["5 unread, 1 mentions"]);
});

test("notifications are marked as read with the function of every render", async () => {
  await show(<Bell />);
  const { markRead } = bell;
  await act(() => markRead(7));
  await act(() => fake.tell(change(null)));
  expect(bell.markRead).toBe(markRead);
  expect(fake.notificationsReadSeq).toBe(7);
});

test("a room is open while a component shows it, in strict mode too", async () => {
  await show(
    <StrictMode>
      <Chat />
      <Chat />
    </StrictMode>,
  );
  expect(fake.open).toEqual([ROOM]);
  await show(<Chat id={OTHER} />);
  expect(fake.open).toEqual([OTHER]);
});

test("a server renders an empty page, and the browser goes on from it without a warning", async () => {
  const page = (parley: Parley | null) => (
    <ParleyProvider parley={parley}>
      <Rooms />
      <Chat />
      <Badge />
      <Bell />
    </ParleyProvider>
  );
  const html = renderToString(page(null));
  expect(html).toBe("<p>loading</p><p>loading</p><b>0</b><i>loading</i>");
  await expect(actions.send("hello")).rejects.toThrow("There is no client or no room here.");
  await goOn(html, page(fake.parley));
  expect(place.textContent).toBe("Trip, Tripone, two00");
});

test("a first paint that is not what the server rendered would be complained about", async () => {
  complain.mockImplementationOnce(() => undefined);
  await goOn(
    "<p>Trip</p>",
    <ParleyProvider parley={fake.parley}>
      <Rooms />
    </ParleyProvider>,
  );
  expect(complain).toHaveBeenCalledOnce();
  complain.mockClear();
});

test("rows of a table of the app's own are read again when that table changes", async () => {
  fake.tables["public.payments"] = [{ id: 1, status: "open" }, { id: 2, status: "paid" }];
  await show(<Payments status="open" />);
  expect(renders).toEqual(["loading", "1 of 3"]);
  fake.tables["public.payments"].push({ id: 3, status: "open" });
  await act(() => fake.tell(tableChange("public.notes"), change(null), change(ROOM)));
  expect(renders).toEqual(["loading", "1 of 3"]);
  await act(() => fake.tell(tableChange("public.payments")));
  expect(renders).toEqual(["loading", "1 of 3", "1, 3 of 3"]);
  await show(<Payments status="paid" />);
  expect(renders.slice(3)).toEqual(["loading", "2 of 3"]);
});

test("a change of a table of the app's own renders nothing that shows rooms", async () => {
  await show([<Chat key="chat" />, <Rooms key="rooms" />]);
  renders = [];
  fake.messages = [...fake.messages, message(3, "three")];
  await act(() => fake.tell(tableChange("public.payments")));
  expect(renders).toEqual([]);
  await act(() => fake.tell(change(null)));
  expect(renders).toEqual(["one, two, three"]);
});
