/** Rows as an app shows them: the columns that it may rely on. */
import type { Json } from "./rows.ts";

/** A row of `rooms`. */
export interface RoomRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly kind: "direct" | "group";
  readonly low_user: string | null;
  readonly high_user: string | null;
  readonly name: string | null;
  readonly topic: string;
  readonly is_public: boolean;
  readonly history: "all" | "since_join";
  readonly default_role: "member" | "reader";
  readonly slow_mode_seconds: number;
  readonly retain_days: number | null;
  readonly archived_at: string | null;
  readonly created_by: string | null;
  readonly created_at: string;
  readonly active_at: string;
  readonly member_count: number;
  readonly is_large: boolean;
  readonly is_closed: boolean;
  readonly metadata: { readonly [key: string]: Json };
}

/** A row of `room_preferences`. */
export interface PreferencesRow {
  readonly room_id: string;
  readonly notify: "all" | "mentions" | "none";
  readonly snoozed_until: string | null;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly marked_unread: boolean;
}

/** A row of `room_members`. */
export interface MemberRow {
  readonly room_id: string;
  readonly user_id: string;
  readonly role: "owner" | "admin" | "moderator" | "member" | "reader";
  readonly label: string | null;
  readonly joined_at: string;
  readonly left_at: string | null;
  readonly muted_until: string | null;
}

/** A row of `profiles`. Without a shared tenant, all but the name, `is_bot` and `closed_at` is null. */
export interface ProfileRow {
  readonly user_id: string;
  readonly display_name: string;
  readonly avatar_path: string | null;
  readonly label: string | null;
  readonly closed_at: string | null;
  readonly is_bot: boolean;
  readonly metadata: { readonly [key: string]: Json } | null;
}

/** A row of `notifications`, and whether the mark has moved past it. */
export interface Notification {
  readonly seq: number;
  readonly kind: string;
  readonly room_id: string | null;
  readonly message_seq: number | null;
  readonly actor_id: string | null;
  readonly created_at: string;
  readonly data: Json;
  readonly is_read: boolean;
}
