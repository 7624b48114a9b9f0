// Signing in with the token that the server printed.
import { createFileRoute, useRouter } from "@tanstack/react-router";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { useSignIn } from "~/api/access";
import { describeError } from "~/api/problem";
import { Logo } from "~/components/shell/logo";
import { ThemeSwitch } from "~/components/shell/theme-switch";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { pastedToken } from "~/lib/pasted-token";

export const Route = createFileRoute("/login")({
  validateSearch: (search: Record<string, unknown>): { to?: string; token?: string; failed?: boolean } => ({
    // Only ever within this site.
    ...(typeof search.to === "string" && /^\/(?![/\\])/.test(search.to) && { to: search.to }),
    ...(typeof search.token === "string" && { token: search.token }),
    ...(search.failed === true && { failed: true }),
  }),
  component: Login,
});

function Login() {
  const { to = "/jobs", token, failed } = Route.useSearch();
  const router = useRouter();
  const signIn = useSignIn();
  const [text, setText] = useState("");
  const { mutate } = signIn;
  const enter = useCallback(
    (secret: string) => mutate(secret, { onSuccess: () => router.history.replace(to) }),
    [mutate, router, to],
  );
  useEffect(() => {
    document.title = "Sign in · Morpheus";
    if (token) enter(token);
  }, [token, enter]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter(pastedToken(text));
  };

  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center px-4 py-10">
      <Logo className="size-10" />
      <h1 className="display mt-5 text-2xl">Sign in to Morpheus</h1>
      <p className="mt-2 text-muted">
        When it started, <code className="font-mono text-text text-xs">morpheus serve</code> printed a login
        address in the terminal. Open that address, or paste it here. An API token works too.
      </p>
      <form onSubmit={submit} className="mt-6 flex flex-col gap-3">
        <Field label="Login address or token" error={problem(signIn.error, failed)}>
          {(control) => (
            <Input
              {...control}
              type="password"
              autoComplete="current-password"
              value={text}
              onChange={(event) => setText(event.target.value)}
              required
            />
          )}
        </Field>
        <Button type="submit" variant="primary" disabled={signIn.isPending || text.trim() === ""}>
          {signIn.isPending ? "Signing in…" : "Sign in"}
        </Button>
      </form>
      <ThemeSwitch className="mt-10 self-start" />
    </main>
  );
}

function problem(error: unknown, failed = false): string | undefined {
  if (error) return describeError(error);
  if (failed)
    return "That login address is no longer valid. `morpheus serve --new-login` prints a fresh one.";
  return undefined;
}
