/** What a message says, as one line of text. */
import type { Json, LastMessage } from "../src/index.ts";
import { fileOf, isPicture } from "./files.ts";
import type { NameOf } from "./people.ts";

const EVENTS: { readonly [word: string]: string } = {
  member_joined: "joined",
  member_left: "left",
  member_added: "added",
  member_removed: "removed",
  member_banned: "banned",
  member_muted: "muted",
  made_owner: "made the owner:",
  room_archived: "archived the room",
};

/** The line. */
export function said(message: LastMessage, nameOf: NameOf): string {
  if (message.kind === "system") return eventOf(message, nameOf);
  if (message.deleted_at !== null) return "Deleted";
  if (message.is_unreadable) return "A message that this version cannot read";
  if (message.is_folded) return "A message of somebody you blocked";
  if (message.body !== "") return message.body;
  const [attachment] = message.attachments;
  return attachment === undefined ? "" : titleOf(attachment);
}

function titleOf(attachment: Json): string {
  const file = fileOf(attachment);
  return file === null ? "A file" : isPicture(file.mime_type) ? "Picture" : file.name;
}

function eventOf({ body, sender_id, mentions }: LastMessage, nameOf: NameOf): string {
  const about = mentions.filter((each) => each !== sender_id).map(nameOf).join(", ");
  return `${nameOf(sender_id)} ${EVENTS[body] ?? body.replaceAll("_", " ")} ${about}`.trim();
}
