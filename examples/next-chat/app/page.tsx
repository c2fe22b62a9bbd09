import { Lobby } from "@/components/lobby";
import type { ChatMessage } from "@/hooks/use-realtime-chat";

/** What stands first in the room. An app would read such messages from where it has them. */
const MESSAGES: ChatMessage[] = [
  {
    id: "welcome",
    content: "Write something, take the network away, write again, and reload.",
    user: { name: "next-chat" },
    createdAt: "2026-01-01T09:00:00.000Z",
  },
];

export default function Page() {
  return <Lobby roomName="lobby" messages={MESSAGES} />;
}
