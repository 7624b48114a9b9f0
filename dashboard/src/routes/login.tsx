// Signing in with the token that the server printed.
import { createFileRoute, useRouter } from "@tanstack/react-router";
import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import { useSignIn } from "~/api/access";
import { describeError } from "~/api/problem";
import { Logo } from "~/components/shell/logo";
import { ThemeSwitch } from "~/components/shell/theme-switch";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { pastedToken } from "~/lib/pasted-token";

const FRESH = "`morpheus serve --new-login` prints a new one.";

/** Why a login address did not sign in. */
const FAILURES = {
  used: `That login address was already used. Each one works only once. ${FRESH}`,
  expired: `That login address is more than a day old. ${FRESH}`,
  ended: `That login address was revoked by signing out everywhere. ${FRESH}`,
  expired_token: "That token has expired. Use another one, or a login address.",
  deleted_token: "That token was deleted. Use another one, or a login address.",
  unknown: `That is not a login address of this server. ${FRESH}`,
  limited: "Too many failed sign-ins. Wait a few seconds, then try again.",
} as const;

type Failed = keyof typeof FAILURES;

function isFailed(value: unknown): value is Failed {
  return typeof value === "string" && value in FAILURES;
}

export const Route = createFileRoute("/login")({
  validateSearch: (search: Record<string, unknown>): { to?: string; token?: string; failed?: Failed } => ({
    // Only within this site.
    ...(typeof search.to === "string" && /^\/(?![/\\])/.test(search.to) && { to: search.to }),
    ...(typeof search.token === "string" && { token: search.token }),
    ...(isFailed(search.failed) && { failed: search.failed }),
  }),
  component: Login,
});

function Login() {
  const { to = "/jobs", token, failed } = Route.useSearch();
  const router = useRouter();
  const signIn = useSignIn();
  const [text, setText] = useState("");
  const tried = useRef<string | null>(null);
  const { mutate } = signIn;
  const enter = useCallback(
    (secret: string) => mutate(secret, { onSuccess: () => router.history.replace(to) }),
    [mutate, router, to],
  );
  useEffect(() => {
    document.title = "Sign in · Morpheus";
    // Once: each login address works a single time.
    if (token && tried.current !== token) {
      tried.current = token;
      enter(token);
    }
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
        address in the terminal. Open that address, or paste it here. It works once. An API token works too.
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

function problem(error: unknown, failed: Failed | undefined): string | undefined {
  if (error) return describeError(error);
  return failed && FAILURES[failed];
}
