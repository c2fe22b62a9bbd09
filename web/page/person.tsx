import { type ReactNode, useState } from "react";
import { useRooms } from "../react/index.ts";
import type { MemberRow, Room } from "../src/index.ts";
import { useBlocked } from "./blocked.ts";
import { useAttempt } from "./attempt.ts";
import { Dialog } from "./dialog.tsx";
import { moment } from "./durations.ts";
import { Face } from "./face.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { useClient, useMe } from "./page.ts";
import { useMembers, useNames } from "./people.ts";
import { BanForm, BlockForm, MuteForm, RemoveForm } from "./person_forms.tsx";
import { RoleForm } from "./person_role.tsx";
import { go } from "./place.ts";
import { usePresence } from "./presence.ts";
import { ReportForm } from "./report.tsx";
import { isAhead, outranks, type Rights, rightsOf, ROLE_NAMES } from "./rights.ts";
import { seenLine } from "./seen.ts";
import { useShown } from "./shown.ts";

interface PersonProps {
  readonly user_id: string;
  /** Where they were met. */
  readonly room_id: string | null;
  readonly onClose: () => void;
}

/** What has to be answered before something is done about somebody. */
type Step = "role" | "mute" | "remove" | "ban" | "block" | "report";

const TITLES: { readonly [step in Step]: (name: string) => string } = {
  role: (name) => `The role of ${name}`,
  mute: (name) => `Mute ${name}?`,
  remove: (name) => `Remove ${name}?`,
  ban: (name) => `Ban ${name}?`,
  block: (name) => `Block ${name}?`,
  report: (name) => `Report ${name}`,
};

/** Somebody: who they are here, and what one may do about them. */
export function Person({ user_id, room_id, onClose }: PersonProps): ReactNode {
  const room = useRooms().rooms.find((each) => each.id === room_id) ?? null;
  const members = useMembers(room_id ?? "");
  const { tell } = useShown();
  const me = useMe();
  const name = useNames()(user_id);
  const [step, setStep] = useState<Step | null>(null);
  const own = members.find((each) => each.user_id === me);
  const member = members.find((each) => each.user_id === user_id);

  function finish(notice: string): void {
    tell(notice);
    onClose();
  }

  const form = { user_id, name, onBack: () => setStep(null), onDone: finish };
  if (step === null) {
    return (
      <Dialog title={name} onClose={onClose}>
        <Card user_id={user_id} name={name} member={member} />
        <Actions
          {...form}
          isMe={user_id === me}
          room={room}
          own={own}
          member={member}
          onStep={setStep}
          onClose={onClose}
        />
      </Dialog>
    );
  }
  return (
    <Dialog key={step} title={TITLES[step](user_id === me ? "you" : name)} onClose={onClose}>
      {step === "role" && member !== undefined && own !== undefined && (
        <RoleForm {...form} member={member} own={own} />
      )}
      {step === "mute" && <MuteForm {...form} room_id={room_id ?? ""} />}
      {step === "remove" && <RemoveForm {...form} room_id={room_id ?? ""} />}
      {step === "ban" && <BanForm {...form} room_id={room_id ?? ""} />}
      {step === "block" && <BlockForm {...form} />}
      {step === "report" && <ReportForm {...form} message={null} />}
    </Dialog>
  );
}

interface CardProps {
  readonly user_id: string;
  readonly name: string;
  readonly member: MemberRow | undefined;
}

function Card({ user_id, name, member }: CardProps): ReactNode {
  const presence = usePresence(user_id);
  return (
    <div className="intro">
      <Face user_id={user_id} name={name} />
      <p className="soft">{seenLine(presence)}</p>
      <p className="tags">
        {member !== undefined && <span className="tag">{ROLE_NAMES[member.role]}</span>}
        {member?.label != null && <span className="tag">{member.label}</span>}
        {member?.muted_until != null && isAhead(member.muted_until) && (
          <span className="tag warn">
            {Number.isFinite(Date.parse(member.muted_until)) &&
                new Date(member.muted_until).getFullYear() < 9999
              ? `Muted until ${moment(member.muted_until)}`
              : "Muted"}
          </span>
        )}
      </p>
    </div>
  );
}

interface ActionsProps {
  readonly user_id: string;
  readonly name: string;
  readonly isMe: boolean;
  readonly room: Room | null;
  readonly own: MemberRow | undefined;
  readonly member: MemberRow | undefined;
  readonly onStep: (step: Step) => void;
  readonly onDone: (notice: string) => void;
  readonly onClose: () => void;
}

/** What one may do, and nothing else. */
function Actions(props: ActionsProps): ReactNode {
  const { user_id, name, isMe, room, own, member, onStep, onDone, onClose } = props;
  const { call } = useClient();
  const { refusal, isBusy, attempt } = useAttempt();
  const isBlocked = useBlocked().includes(user_id);
  const rights = rightsOf(own, room?.row ?? null);
  const room_id = room?.id ?? "";
  const may = mayDo(rights, own, member, isMe);

  async function write(): Promise<void> {
    const { id } = await call("open_direct", { user_id });
    go(id);
    onClose();
  }

  async function lift(what: "unmute_member" | "unblock_user", notice: string): Promise<void> {
    if (what === "unmute_member") await call(what, { room_id, user_id });
    else await call(what, { user_id });
    onDone(notice);
  }

  const act = (icon: IconName, text: string, onClick: () => void, isDangerous = false) => (
    <button
      type="button"
      className={isDangerous ? "row dangerous" : "row"}
      disabled={isBusy}
      onClick={onClick}
    >
      <Icon name={icon} /> {text}
    </button>
  );
  return (
    <div className="actions">
      {!isMe && !isBlocked && room?.other_id !== user_id &&
        act("send", `Write to ${name}`, () => attempt(write))}
      {may.giveRole && act("crown", isMe ? "Step down" : "Change the role", () => onStep("role"))}
      {may.act && (isAhead(member?.muted_until ?? null)
        ? act(
          "voice",
          "Let them write again",
          () => attempt(() => lift("unmute_member", `${name} may write again.`)),
        )
        : act("mute", "Mute", () => onStep("mute")))}
      {may.act && act("leave", "Remove from the room", () => onStep("remove"), true)}
      {may.act && act("ban", "Ban from the room", () => onStep("ban"), true)}
      {!isMe && act("flag", "Report", () => onStep("report"), true)}
      {!isMe && (isBlocked
        ? act(
          "voice",
          "Unblock",
          () => attempt(() => lift("unblock_user", `${name} is not blocked any more.`)),
        )
        : act("block", "Block", () => onStep("block"), true))}
      <p className="refusal" role="alert">{refusal}</p>
      <div className="answers">
        <button type="button" onClick={onClose}>Close</button>
      </div>
    </div>
  );
}

interface May {
  readonly giveRole: boolean;
  /** Mute, remove and ban. */
  readonly act: boolean;
}

function mayDo(
  rights: Rights,
  own: MemberRow | undefined,
  member: MemberRow | undefined,
  isMe: boolean,
): May {
  if (own === undefined || member === undefined) return { giveRole: false, act: false };
  if (isMe) return { giveRole: rights.isOpen && own.role !== "reader", act: false };
  const isAbove = outranks(own.role, member.role);
  return {
    giveRole: rights.isAdmin && rights.isOpen && isAbove,
    act: rights.isModerator && isAbove,
  };
}
