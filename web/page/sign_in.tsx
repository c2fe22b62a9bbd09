import { type FormEvent, type ReactNode, useState } from "react";
import { Avatar, Icon } from "./icons.tsx";
import { usePage } from "./page.ts";

/** The way in: as somebody of the demo, or with an account. */
export function SignIn({ refusal }: { readonly refusal: string }): ReactNode {
  const { supabase, people } = usePage();
  const [failure, setFailure] = useState(refusal);

  async function signIn(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const { error } = await supabase.auth.signInWithPassword({
      email: String(form.get("email")),
      password: String(form.get("password")),
    });
    setFailure(error?.message ?? "");
  }

  return (
    <main className="sign-in">
      <div className="card">
        <h1>Parley</h1>
        {people.length > 0 && (
          <>
            <p className="soft">
              Open two people in two windows, side by side.
            </p>
            <ul className="people">
              {people.map(({ name, email }) => (
                <li key={email}>
                  <a href={`/?as=${encodeURIComponent(name.toLowerCase())}${location.hash}`}>
                    <Avatar id={email} name={name} />
                    Sign in as {name}
                  </a>
                </li>
              ))}
            </ul>
            <p className="or" aria-hidden="true">or</p>
          </>
        )}
        <form onSubmit={signIn}>
          <label>
            E-mail
            <input name="email" type="email" autoComplete="username" required />
          </label>
          <label>
            Password
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          <button type="submit" className="primary">Sign in</button>
          <p className="refusal" role="alert">
            {failure !== "" && (
              <>
                <Icon name="alert" /> {failure}
              </>
            )}
          </p>
        </form>
      </div>
    </main>
  );
}
