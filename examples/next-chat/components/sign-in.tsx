"use client";

import { type FormEvent, useState } from "react";
import { createClient } from "@/lib/supabase/client";

/** Sign in with e-mail and password, or open an account with them and a name. */
export function SignIn() {
  const [refusal, setRefusal] = useState("");
  const [isNew, setNew] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [email, password] = [String(form.get("email")), String(form.get("password"))];
    const { auth } = createClient();
    const { error } = isNew
      ? await auth.signUp({
        email,
        password,
        options: { data: { display_name: String(form.get("name")) } },
      })
      : await auth.signInWithPassword({ email, password });
    setRefusal(error?.message ?? "");
  }

  return (
    <form className="sign-in" onSubmit={submit}>
      {isNew && (
        <label>
          Your name <input name="name" required maxLength={80} />
        </label>
      )}
      <label>
        E-mail <input name="email" type="email" required autoComplete="email" />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          required
          minLength={8}
          autoComplete={isNew ? "new-password" : "current-password"}
        />
      </label>
      <p role="alert">{refusal}</p>
      <button type="submit">{isNew ? "Open an account" : "Sign in"}</button>
      <button type="button" className="other" onClick={() => setNew(!isNew)}>
        {isNew ? "I have an account" : "I am new here"}
      </button>
    </form>
  );
}
