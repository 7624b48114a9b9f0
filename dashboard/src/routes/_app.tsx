// Pages that need a session. Whoever has none is led to the sign-in page and back.
import { createFileRoute, Outlet, redirect } from "@tanstack/react-router";
import { ProblemError } from "~/api/problem";
import { sessionQuery } from "~/api/queries";
import { PageFailure } from "~/components/failure";
import { Shell } from "~/components/shell/shell";

export const Route = createFileRoute("/_app")({
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.fetchQuery({ ...sessionQuery(), staleTime: 60_000 });
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 401) {
        throw redirect({ to: "/login", search: { to: location.href } });
      }
      throw error;
    }
  },
  errorComponent: PageFailure,
  component: () => (
    <Shell>
      <Outlet />
    </Shell>
  ),
});
