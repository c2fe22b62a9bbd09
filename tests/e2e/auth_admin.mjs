// Calls auth.admin of supabase-js from the creation of a user to its end, and prints each answer.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws";

const [url, key, email] = process.argv.slice(2);
const { admin } = createClient(url, key, {
  auth: { persistSession: false },
  realtime: { transport: WebSocket },
}).auth;
const said = {};
const note = (name, { data, error }) => {
  said[name] = { user: data?.user, users: data?.users, code: error?.code, status: error?.status };
  return data;
};

const { user } = note(
  "create",
  await admin.createUser({
    email,
    password: "parley-demo",
    email_confirm: true,
    user_metadata: { display_name: "Jo" },
  }),
);
note("again", await admin.createUser({ email, password: "parley-demo" }));
note("list", await admin.listUsers({ page: 1, perPage: 1 }));
note("get", await admin.getUserById(user.id));
note(
  "update",
  await admin.updateUserById(user.id, { user_metadata: { display_name: null, color: "red" } }),
);
note("invite", await admin.inviteUserByEmail("nobody@parley.example"));
note("delete", await admin.deleteUser(user.id));
note("gone", await admin.getUserById(user.id));
process.stdout.write(JSON.stringify(said));
