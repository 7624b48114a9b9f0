// Shown in place of a page that failed: the server's message, and what to do next.
import { useQueryErrorResetBoundary } from "@tanstack/react-query";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { CircleAlert } from "lucide-react";
import { useEffect, useRef } from "react";
import { describeError, ProblemError } from "~/api/problem";
import { formatSentence } from "~/lib/format";
import { useConnection } from "./shell/connection";
import { Button, buttonClass } from "./ui/button";
import { Said } from "./ui/said";

export function Failure({ error }: ErrorComponentProps) {
  const router = useRouter();
  const { reset } = useQueryErrorResetBoundary();
  useEffect(() => {
    document.title = "Error · Morpheus";
  }, []);
  const retry = () => {
    reset();
    void router.invalidate();
  };
  useRetryOnceReached(error, retry);
  const title = error instanceof ProblemError ? error.problem.title : "This page cannot be shown";
  const more = describeError(error);
  return (
    <div role="alert" className="mx-auto mt-[12vh] max-w-lg px-4">
      <CircleAlert aria-hidden className="size-6 text-bad" />
      <h1 className="display mt-3 text-xl">
        <Said>{formatSentence(title)}</Said>
      </h1>
      {more !== title && (
        <p className="mt-1 break-words text-muted">
          <Said>{formatSentence(more)}</Said>
        </p>
      )}
      <div className="mt-5 flex gap-2">
        <Button variant="primary" onClick={retry}>
          Try again
        </Button>
        <Link to="/jobs" className={buttonClass({})}>
          Go to jobs
        </Link>
      </div>
    </div>
  );
}

/** What the server refused stays refused; what could not be asked is asked again once it can be. */
function useRetryOnceReached(error: unknown, retry: () => void): void {
  const connection = useConnection();
  const wasLost = useRef(false);
  useEffect(() => {
    if (connection === "waiting") wasLost.current = true;
    if (connection !== "open" || !wasLost.current) return;
    wasLost.current = false;
    if (!(error instanceof ProblemError)) retry();
  });
}

/** The failure of everything: there is no shell around it. */
export function PageFailure(props: ErrorComponentProps) {
  return (
    <main>
      <Failure {...props} />
    </main>
  );
}

export function NotFound() {
  useEffect(() => {
    document.title = "Not found · Morpheus";
  }, []);
  return (
    <main className="mx-auto mt-[12vh] max-w-lg px-4">
      <h1 className="display text-xl">Page not found</h1>
      <p className="mt-1 text-muted">The URL may be misspelled, or the item was deleted.</p>
      <Link to="/jobs" className={buttonClass({}, "mt-5")}>
        Go to jobs
      </Link>
    </main>
  );
}
