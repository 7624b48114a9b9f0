import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { ProblemError } from "~/api/problem";
import type { Job, JobJudgements, Judgement } from "~/api/types";
import { aJob } from "~/testing";
import { JobResult } from "./job-result";

const judgement = (sentence: string): Judgement => ({
  stamp: "good",
  sentence,
  advice: "train_longer",
  score: 0.7,
  score_low: 0.6,
  score_high: 0.8,
  measures: [],
  evidence: [],
  seconds: 1,
});
const step = (step: number) => ({ step, judgement: judgement(`Of step ${step}.`), pictures: [] });
const checkpoints = [step(20), step(40)];
const recommendation = {
  step: 20,
  sentence: "As good as later ones.",
  score: 0.7,
  score_low: 0.6,
  score_high: 0.8,
};

function show(job: Job, found: Partial<JobJudgements> | Error, jobs: Job[] = []) {
  vi.spyOn(client, "GET").mockImplementation(((path: string) => {
    if (!path.endsWith("/judgements")) return Promise.resolve({ data: { items: jobs } });
    return found instanceof Error
      ? Promise.reject(found)
      : Promise.resolve({ data: { checkpoints, ...found } });
  }) as never);
  const root = createRootRoute({ component: () => <JobResult job={job} version={undefined} /> });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}

test("while a job runs, its newest checkpoint is called one, and nothing is to be done next", async () => {
  show(aJob({ phase: "running" }), {});
  const card = within(await screen.findByRole("region", { name: "Checkpoint of step 40" }));
  expect(card.getByText("Of step 40.")).toBeTruthy();
  expect(card.queryByRole("link")).toBeNull();
});

test("a job that ended without a result says what is to be done next", async () => {
  show(aJob({ phase: "stopped" }), {});
  const card = within(await screen.findByRole("region", { name: "Checkpoint of step 40" }));
  expect(card.getByRole("link", { name: "Train longer" })).toBeTruthy();
});

test("a checkpoint does not stand for a result that was not judged", async () => {
  show(aJob({ phase: "succeeded" }), { recommendation });
  expect(await screen.findByRole("region", { name: "Recommended checkpoint" })).toBeTruthy();
  expect(screen.queryByText("Of step 40.")).toBeNull();
});

test("the result is the result", async () => {
  show(aJob({ phase: "succeeded" }), { result: step(60) });
  const card = within(await screen.findByRole("region", { name: "Result" }));
  expect(card.getByText("Of step 60.")).toBeTruthy();
});

test("what could not be loaded is said", async () => {
  show(aJob(), new ProblemError({ type: "internal", title: "out of order", status: 500 }));
  expect((await screen.findByRole("alert")).textContent).toBe("Out of order.");
});

test.each([
  ["running", undefined, false],
  ["succeeded", "v", false],
  ["failed", undefined, true],
] as const)(
  "the version whose job is %s is shown (%s), and whether another one is offered: %s",
  async (phase, made, offers) => {
    const job = aJob({ id: "j", phase: "running" });
    const maker = aJob({
      id: "m",
      version_of: "j",
      checkpoint_step: 20,
      phase,
      model_version_id: made ?? null,
    });
    show(job, { recommendation }, [job, maker]);
    const best = within(await screen.findByRole("region", { name: "Recommended checkpoint" }));
    expect((await best.findByRole("link", { name: /^Version/ })).getAttribute("href")).toBe("/jobs/m");
    expect(best.queryByRole("button", { name: "Make a version of step 20" }) !== null).toBe(offers);
    expect(best.queryByRole("link", { name: "Try it" }) !== null).toBe(made !== undefined);
  },
);
