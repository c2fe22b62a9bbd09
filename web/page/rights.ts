/** What somebody may do in a room, by the rules of the server; what they may not is not offered. */
import type { MemberRow, RoomRow } from "../src/index.ts";

export type Role = MemberRow["role"];

/** The lowest first. */
const ROLES: readonly Role[] = ["reader", "member", "moderator", "admin", "owner"];

/** What people read of a role. */
export const ROLE_NAMES: { readonly [role in Role]: string } = {
  owner: "Owner",
  admin: "Admin",
  moderator: "Moderator",
  member: "Member",
  reader: "Reader",
};

/** What a role means, for whoever gives it. */
export const ROLE_MEANINGS: { readonly [role in Role]: string } = {
  owner: "Everything, and can hand the room over",
  admin: "Changes the room and the roles of others",
  moderator: "Adds, mutes, removes and bans people, deletes messages",
  member: "Reads and writes",
  reader: "Reads",
};

/** Order members: the highest role first. */
export function byRank(one: Role, other: Role): number {
  return ROLES.indexOf(other) - ROLES.indexOf(one);
}

/** Whether a time is still to come. */
export function isAhead(time: string | null): boolean {
  // (What is no date, as infinity is none, has no end.)
  return time !== null && !(Date.parse(time) <= Date.now());
}

/** What one may do in a room. */
export interface Rights {
  /** Change the room and people's roles. */
  readonly isAdmin: boolean;
  /** Add, mute, remove and ban people, and delete what others wrote. */
  readonly isModerator: boolean;
  /** Change anything about the room itself; nobody does while it is archived. */
  readonly isOpen: boolean;
}

/** The rights of a member. */
export function rightsOf(own: MemberRow | undefined, room: RoomRow | null): Rights {
  const isFree = own !== undefined && room?.kind === "group" && !isAhead(own.muted_until);
  return {
    isAdmin: isFree && byRank(own.role, "admin") <= 0,
    isModerator: isFree && byRank(own.role, "moderator") <= 0,
    isOpen: room?.archived_at == null,
  };
}

/** Whether somebody of one role acts on people of another. */
export function outranks(one: Role, other: Role): boolean {
  return one === "owner" || byRank(one, other) < 0;
}

/** The roles that somebody may give, the highest first. */
export function rolesToGive(own: Role): readonly Role[] {
  return ROLES.filter((role) => outranks(own, role)).reverse();
}
