/**
 * Hooks for React: what they return is read from the copy and is right again after every change.
 *
 * ```tsx
 * const parley = createParley({ supabase, name: "my-app" });
 *
 * function Chat({ id }: { id: string }) {
 *   const { messages, send } = useRoom(id);
 *   return (
 *     <>
 *       {messages.map((message) => <p key={message.client_id ?? message.id}>{message.body}</p>)}
 *       <button onClick={() => send("On my way")}>On my way</button>
 *     </>
 *   );
 * }
 *
 * root.render(<ParleyProvider parley={parley}><Chat id={id} /></ParleyProvider>);
 * ```
 *
 * A message has its `client_id` from the moment it is shown, and its `id` only when it was sent: the first is its key. On a server give the
 * provider null: every hook is empty there and in the first paint, and `isLoading`.
 */

export { type NotificationActions, type Notifications, useNotifications } from "./notifications.ts";
export { ParleyProvider, type ParleyProviderProps, useParley } from "./provider.ts";
export type { Loading } from "./query.ts";
export { type RoomActions, type RoomView, useRoom } from "./room.ts";
export { type RowsView, useRows } from "./rows.ts";
export { type Rooms, type Unread, useRooms, useUnread } from "./rooms.ts";
