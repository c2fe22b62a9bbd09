import { type ReactNode, useState } from "react";
import type { MemberRow } from "../src/index.ts";
import { useClient, useMe } from "./page.ts";
import { type FormProps, Frame } from "./person_forms.tsx";
import { byRank, ROLE_MEANINGS, ROLE_NAMES, rolesToGive } from "./rights.ts";

interface RoleFormProps extends FormProps {
  readonly member: MemberRow;
  readonly own: MemberRow;
}

/** Give somebody another role; people lower their own. */
export function RoleForm({ member, own, ...props }: RoleFormProps): ReactNode {
  const { user_id, name } = props;
  const { call } = useClient();
  const isMe = user_id === useMe();
  const [role, setRole] = useState(member.role);
  const roles = isMe
    ? rolesToGive("owner").filter((each) => byRank(own.role, each) <= 0)
    : rolesToGive(own.role);
  return (
    <Frame
      {...props}
      yes="Save"
      notice={`${isMe ? "You are" : `${name} is`} ${ROLE_NAMES[role].toLowerCase()} now.`}
      work={() => call("set_member_role", { room_id: member.room_id, user_id, role })}
    >
      <fieldset>
        <legend className="unseen">Role</legend>
        {roles.map((each) => (
          <label key={each} className="choice">
            <input
              type="radio"
              name="role"
              checked={each === role}
              onChange={() => setRole(each)}
            />
            <span>
              {ROLE_NAMES[each]}
              <span className="soft">{ROLE_MEANINGS[each]}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </Frame>
  );
}
