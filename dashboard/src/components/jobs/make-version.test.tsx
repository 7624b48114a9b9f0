import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { ProblemError } from "~/api/problem";
import type { Job } from "~/api/types";
import { aJob } from "~/testing";
import { MakeVersion } from "./make-version";

function show(job: Job) {
  localStorage.clear();
  const providers = [
    { name: "local", is_rented: false },
    { name: "runpod", title: "RunPod", is_rented: true },
  ];
  vi.spyOn(client, "GET").mockResolvedValue({ data: providers } as never);
  const post = vi.spyOn(client, "POST").mockResolvedValue({ data: aJob({ id: "made" }) } as never);
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MakeVersion job={job} step={12} />
    </QueryClientProvider>,
  );
  const sent = () => (post.mock.lastCall as unknown as [string, { body: object }])[1].body;
  return { post, sent, user: userEvent.setup() };
}

const rental = { gpus: [], n_gpus: 1, clouds: [], data_centers: [], labels: [] };
const rented = aJob({ provider: "runpod", rental });

test("where the job was free, one click makes a version", async () => {
  const { post, sent, user } = show(aJob());
  await user.click(screen.getByRole("button", { name: "Make a version of step 12" }));
  await waitFor(() => expect(post).toHaveBeenCalledOnce());
  expect(sent()).toEqual({ step: 12 });
});

test("where the job cost money, one says where the version is made, and at which limit", async () => {
  const { post, sent, user } = show(rented);
  await user.click(screen.getByRole("button", { name: "Make a version of step 12" }));
  const dialog = within(await screen.findByRole("dialog"));
  const where = dialog.getByRole("combobox", { name: "Where it is made" });
  expect(where.textContent).toContain("This machine");
  expect(dialog.queryByLabelText("Total limit in dollars")).toBeNull();
  const errors = [{ field: "provider", message: "has no sd-scripts" }];
  post.mockRejectedValueOnce(new ProblemError({ type: "invalid_request", title: "", status: 400, errors }));
  await user.click(dialog.getByRole("button", { name: "Make the version" }));
  expect((await dialog.findByRole("alert")).textContent).toBe("Has no sd-scripts.");
  expect(sent()).toEqual({ step: 12, provider: "local", limit_micro_usd: null });
  await user.click(where);
  await user.click(await screen.findByRole("option", { name: /RunPod/ }));
  await user.type(dialog.getByLabelText("Total limit in dollars"), "1.5");
  await user.click(dialog.getByRole("button", { name: "Make the version" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(sent()).toEqual({ step: 12, provider: "runpod", limit_micro_usd: 1_500_000 });
});
