import type { ReactNode } from "react";
import { Avatar } from "./icons.tsx";
import { usePresence } from "./presence.ts";

interface FaceProps {
  readonly user_id: string;
  readonly name: string;
}

/** Somebody's picture, with a dot while they are online. */
export function Face({ user_id, name }: FaceProps): ReactNode {
  const isOnline = usePresence(user_id)?.is_online ?? false;
  return (
    <span className="face">
      <Avatar id={user_id} name={name} />
      {isOnline && (
        <span className="dot" title="Online">
          <span className="unseen">online</span>
        </span>
      )}
    </span>
  );
}
