"use client";

import { useCallback, useState } from "react";
import type { ChatMessage } from "@/hooks/use-realtime-chat";
import { useUser } from "@/hooks/use-user";
import { createClient } from "@/lib/supabase/client";
import { RealtimeChat } from "./realtime-chat";
import { SignIn } from "./sign-in";

/** Somebody signs in, and is in the room. */
export function Lobby({ roomName, messages }: { roomName: string; messages: ChatMessage[] }) {
  const user = useUser();
  const [count, setCount] = useState(0);
  const hear = useCallback((all: ChatMessage[]) => setCount(all.length), []);
  const username = String(user?.user_metadata.display_name ?? user?.email ?? "");

  return (
    <main>
      <header>
        <h1>{roomName}</h1>
        {user && (
          <>
            <p>{count === 1 ? "1 message" : `${count} messages`}</p>
            <button type="button" onClick={() => createClient().auth.signOut()}>
              Sign out {username}
            </button>
          </>
        )}
      </header>
      {user === null ? <SignIn /> : (
        <RealtimeChat
          roomName={roomName}
          username={username}
          messages={messages}
          onMessage={hear}
        />
      )}
    </main>
  );
}
