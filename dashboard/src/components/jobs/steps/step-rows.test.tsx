import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { ProblemError } from "~/api/problem";
import { StepCursor } from "~/live/cursor";
import { Series } from "~/live/series";
import { aJob } from "~/testing";
import { HardPictures } from "./hard-pictures";
import { StepRows } from "./step-rows";

const job = aJob({ phase: "stopped" });
const broken = new ProblemError({ type: "internal", title: "out of order", status: 500 });

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({
    matches: false,
    addEventListener: vi.fn(),
    removeEventListener: vi.fn(),
  }));
});

/** Answers of the server by the end of the path; lists are empty otherwise. */
function show(what: React.ReactNode, answers: Record<string, Promise<unknown>> = {}) {
  vi.spyOn(client, "GET").mockImplementation(((path: string) => {
    const end = path.slice(path.lastIndexOf("/") + 1);
    return answers[end] ?? Promise.resolve({ data: end === "jobs" ? { items: [] } : [] });
  }) as never);
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<QueryClientProvider client={queries}>{what}</QueryClientProvider>);
}

const rows = () => (
  <StepRows job={job} samples={[]} series={new Series()} cursor={new StepCursor()} onOpen={vi.fn()} />
);

test("that there are none is said once it is known", async () => {
  let answer = (_: unknown) => {};
  const artifacts = new Promise((resolve) => {
    answer = resolve;
  });
  show(rows(), { artifacts });
  expect(screen.getByText("Loading…")).toBeTruthy();
  answer({ data: [] });
  expect(await screen.findByText("There are none.")).toBeTruthy();
});

test.each(["artifacts", "samples"])(
  "that there are no %s is not said when they could not be loaded",
  async (end) => {
    show(rows(), { [end]: Promise.reject(broken) });
    expect((await screen.findByRole("alert")).textContent).toBe("Out of order.");
    expect(screen.queryByText("There are none.")).toBeNull();
  },
);

test("pictures that could not be loaded are not left out in silence", async () => {
  show(<HardPictures job={job} />, { pictures: Promise.reject(broken) });
  expect((await screen.findByRole("alert")).textContent).toBe("Out of order.");
});
