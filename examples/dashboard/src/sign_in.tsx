import { type FormEvent, useState } from "react";

import { supabase } from "./parley.ts";

export function SignIn() {
  const [trouble, setTrouble] = useState("");

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const said = new FormData(event.currentTarget);
    const { error } = await supabase.auth.signInWithPassword({
      email: String(said.get("email")),
      password: String(said.get("password")),
    });
    setTrouble(error?.message ?? "");
  }

  return (
    <form className="sign-in" onSubmit={(event) => void signIn(event)}>
      <h1>Books</h1>
      <label>
        E-mail
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
      <p role="alert">{trouble}</p>
    </form>
  );
}
