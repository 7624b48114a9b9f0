import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import { samplesQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { forgetSeen } from "~/lib/just-finished";
import { aJob } from "~/testing";
import { JustFinished } from "./just-finished";

const EARLIER = new Date(Date.now() - 60_000).toISOString();
const LATER = new Date(Date.now() + 60_000).toISOString();

beforeEach(forgetSeen);

async function show(jobs: Job[]) {
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  for (const job of jobs) {
    const sample = { artifact_id: "a", created_at: EARLIER, prompt: "", seed: 1 };
    queries.setQueryData(samplesQuery(job.id).queryKey, [
      { ...sample, step: 20, prompt_index: 1, url: "/second.png" },
      { ...sample, step: 20, prompt_index: 0, url: "/first.png" },
      { ...sample, step: 10, prompt_index: 0, url: "/old.png" },
    ]);
  }
  const root = createRootRoute();
  const page = (path: string) =>
    createRoute({ getParentRoute: () => root, path, component: () => <JustFinished jobs={jobs} /> });
  const router = createRouter({
    routeTree: root.addChildren([page("/"), page("/playground"), page("/jobs/$jobId")]),
    history: createMemoryHistory({ initialEntries: ["/"] }),
  });
  await router.load();
  const { container } = render(
    <QueryClientProvider client={queries}>
      {/* biome-ignore lint/suspicious/noExplicitAny: another tree of routes than the app's */}
      <RouterProvider router={router as any} />
    </QueryClientProvider>,
  );
  return { container, router, user: userEvent.setup() };
}

const succeeded = aJob({ id: "1", phase: "succeeded", ended_at: LATER, model_version_id: "v1" });

test("a job that ended is shown with its newest picture until it is opened", async () => {
  const { container, router, user } = await show([succeeded]);
  expect(await screen.findByRole("region", { name: "Just finished" })).toBeTruthy();
  expect(container.querySelector("img")?.getAttribute("src")).toBe("/first.png");
  await user.click(screen.getByRole("link", { name: "Open Zora" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/jobs/1"));
  expect(screen.queryByRole("region", { name: "Just finished" })).toBeNull();
});

test("a result can be tried at once", async () => {
  const { router, user } = await show([succeeded]);
  await user.click(await screen.findByRole("link", { name: "Try Zora" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/playground"));
  expect(router.state.location.search).toEqual({ lora: "v1" });
});

test("what was dismissed stays away after a reload", async () => {
  const failed = aJob({ id: "2", phase: "failed", ended_at: LATER, reason: "the loss is not finite" });
  const { user } = await show([succeeded, failed]);
  expect((await screen.findByText(/The loss is not finite/)).textContent).toBeTruthy();
  expect(screen.queryByRole("link", { name: "Try Zora" })).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Dismiss all" }));
  expect(screen.queryByRole("region", { name: "Just finished" })).toBeNull();
  expect(JSON.parse(localStorage.getItem("morpheus.seen-jobs") ?? "{}").ids).toEqual(["1", "2"]);
});

test("old, canceled and running jobs are no news", async () => {
  await show([
    aJob({ id: "1", phase: "succeeded", ended_at: EARLIER }),
    aJob({ id: "2", phase: "cancelled", ended_at: LATER }),
    aJob({ id: "3", phase: "running" }),
  ]);
  expect(screen.queryByRole("region", { name: "Just finished" })).toBeNull();
});
