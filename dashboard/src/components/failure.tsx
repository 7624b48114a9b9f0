// What stands in a page's place when it cannot be shown: the server's own words, and a way on.
import { useQueryErrorResetBoundary } from "@tanstack/react-query";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { CircleAlert } from "lucide-react";
import { useEffect } from "react";
import { describeError, ProblemError } from "~/api/problem";
import { Button, buttonClass } from "./ui/button";

export function Failure({ error }: ErrorComponentProps) {
  const router = useRouter();
  const { reset } = useQueryErrorResetBoundary();
  useEffect(() => {
    document.title = "Error · Morpheus";
  }, []);
  const title = error instanceof ProblemError ? error.problem.title : "This page cannot be shown";
  return (
    <div role="alert" className="mx-auto mt-[12vh] max-w-lg px-4">
      <CircleAlert aria-hidden className="size-6 text-bad" />
      <h1 className="display mt-3 text-xl">{title}</h1>
      <p className="mt-1 break-words text-muted">{describeError(error)}</p>
      <div className="mt-5 flex gap-2">
        <Button
          variant="primary"
          onClick={() => {
            reset();
            void router.invalidate();
          }}
        >
          Try again
        </Button>
        <Link to="/jobs" className={buttonClass({})}>
          Go to jobs
        </Link>
      </div>
    </div>
  );
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
      <h1 className="display text-xl">There is no such page</h1>
      <p className="mt-1 text-muted">The address may be misspelled, or what it named was deleted.</p>
      <Link to="/jobs" className={buttonClass({}, "mt-5")}>
        Go to jobs
      </Link>
    </main>
  );
}
