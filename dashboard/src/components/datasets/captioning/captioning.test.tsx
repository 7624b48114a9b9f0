import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { CaptionEndpoint, CaptionProposal, CaptionRun } from "~/api/types";
import { anItem } from "~/testing";
import { Proposals } from "./proposals";
import { RunForm } from "./run-form";
import { RunProgress, says } from "./run-progress";
import { lacksTrigger, TEMPLATES } from "./templates";

const endpoint: CaptionEndpoint = {
  id: "e",
  name: "Ollama",
  origin: "http://localhost:11434",
  model: "m",
  has_key: false,
  created_at: "2026-01-02T03:00:00Z",
};
const run: CaptionRun = {
  id: "r",
  endpoint: "Ollama",
  model: "m",
  prompt: "p",
  policy: "replace",
  trigger_word: "",
  state: "running",
  n_items: 3,
  n_done: 2,
  n_failed: 1,
  n_open: 1,
  created_at: "2026-01-02T03:00:00Z",
};
const proposal = (change: Partial<CaptionProposal>): CaptionProposal => ({
  id: "p",
  item_id: "a",
  file_name: "a.png",
  before: "zora",
  after: "zora in a hat",
  state: "open",
  ...change,
});

function setup(page: React.ReactNode, proposals: CaptionProposal[] = []) {
  vi.spyOn(client, "GET").mockImplementation((async () => ({
    data: { items: proposals, next: null },
  })) as never);
  const answer = async (path: string) => ({
    data: path.endsWith("/tests") ? { text: "A hat." } : { n_accepted: 1, n_skipped: 1 },
  });
  const posted = vi.spyOn(client, "POST").mockImplementation(answer as never);
  render(<QueryClientProvider client={new QueryClient()}>{page}</QueryClientProvider>);
  return { posted, user: userEvent.setup() };
}

const bodyOf = (call: unknown[] | undefined) => {
  const [, options] = call ?? [];
  return options && (options as { body: object }).body;
};

test("only pictures without a caption are described unless somebody says otherwise", async () => {
  const items = [anItem({ id: "a", caption: "zora" }), anItem({ id: "b", file_name: "b.png", caption: " " })];
  const { posted, user } = setup(<RunForm dataset="d" endpoints={[endpoint]} shown={items} n_items={5} />);
  await user.click(screen.getByRole("button", { name: "Try it on b.png" }));
  expect(await screen.findByText("A hat.")).toBeDefined();
  expect(bodyOf(posted.mock.calls[0])).toMatchObject({ dataset_id: "d", item_id: "b" });
  await user.click(screen.getByRole("button", { name: "Describe 1 picture" }));
  expect(bodyOf(posted.mock.calls[1])).toMatchObject({ endpoint_id: "e", policy: "keep", items: ["b"] });
});

test("a template with the trigger word needs one", async () => {
  expect(TEMPLATES.some(({ prompt }) => lacksTrigger(prompt, " "))).toBe(true);
  const { user } = setup(
    <RunForm dataset="d" endpoints={[endpoint]} shown={[anItem({ caption: "" })]} n_items={1} />,
  );
  const start = screen.getByRole<HTMLButtonElement>("button", { name: "Describe 1 picture" });
  await user.click(screen.getByRole("button", { name: "A sentence about the subject" }));
  expect(start.disabled).toBe(true);
  await user.type(screen.getByLabelText("Trigger word"), "zora");
  expect(start.disabled).toBe(false);
});

test("a run says how it stands, and can be stopped", async () => {
  const { posted, user } = setup(<RunProgress dataset="d" run={run} />);
  expect(screen.getByRole("status").textContent).toContain("2 of 3 pictures. 1 picture failed.");
  await user.click(screen.getByRole("button", { name: "Stop" }));
  expect(posted.mock.calls[0]?.[0]).toBe("/api/v1/datasets/{id}/caption-runs/{run_id}/stop");
  expect(says({ ...run, state: "done" })).toBe("Ollama described 2 pictures. 1 picture failed.");
});

test("proposals are accepted one by one, selected or together", async () => {
  const all = [
    proposal({}),
    proposal({ id: "q", file_name: "q.png", before: "", after: "a cap" }),
    proposal({ id: "f", file_name: "f.png", after: null, state: "failed", error: "it was late" }),
    proposal({ id: "x", file_name: "x.png", state: "dismissed" }),
  ];
  const { posted, user } = setup(<Proposals dataset="d" run={run} />, all);
  const list = await screen.findByRole("region", { name: "Proposed captions" });
  expect(within(list).getByText("zora in a hat")).toBeDefined();
  expect(within(list).getByText("It was late.")).toBeDefined();
  expect(within(list).queryByText("x.png")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Accept the caption of a.png" }));
  await user.click(screen.getByRole("checkbox", { name: "Select q.png" }));
  await user.click(screen.getByRole("button", { name: "Dismiss 1 selected" }));
  await user.click(screen.getByRole("button", { name: "Accept all 2" }));
  const chosen = posted.mock.calls.map((call) => bodyOf(call));
  // While the run goes on, "all" are those that were counted on the button.
  expect(chosen).toEqual([{ proposals: ["p"] }, { proposals: ["q"] }, { proposals: ["p", "q"] }]);
  expect(await screen.findByText(/1 caption changed since/)).toBeDefined();
});

test("all proposals of a run that has ended are dismissed at once", async () => {
  const { posted, user } = setup(<Proposals dataset="d" run={{ ...run, state: "done" }} />, [proposal({})]);
  await user.click(await screen.findByRole("button", { name: "Dismiss all" }));
  expect(bodyOf(posted.mock.calls[0])).toEqual({ proposals: null });
});
