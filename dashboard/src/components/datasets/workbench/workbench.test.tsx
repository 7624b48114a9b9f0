import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { Finding, Item } from "~/api/types";
import { CaptionsProvider, captionsOf } from "~/captions/captions";
import { TooltipProvider } from "~/components/ui/tooltip";
import { anItem } from "~/testing";
import { parseView, type View } from "./view";
import { Workbench } from "./workbench";

const items = [
  anItem({ id: "a", file_name: "a.png", caption: "" }),
  anItem({ id: "b", file_name: "b.png", caption: "zora, hat" }),
  anItem({ id: "c", file_name: "c.png", caption: "" }),
  anItem({ id: "d", file_name: "d.png", caption: "zora" }),
];
const blurred: Finding = {
  code: "blurred",
  severity: "warning",
  about: "pictures",
  message: "1 picture is blurred.",
  repair: "Use sharper pictures.",
  content: "0",
  pictures: [{ id: "d", file_name: "d.png", detail: "is blurred by 3 pixels" }],
};

function Page({ queries, first }: { queries: QueryClient; first: View }) {
  const [view, setView] = useState(first);
  return (
    <Workbench
      dataset="d"
      items={queries.getQueryData<Item[]>(["datasets", "d", "items"]) ?? []}
      view={view}
      onView={(change) => setView((before) => parseView({ ...before, ...change }))}
    />
  );
}

function setup(first: View = {}, n_unmeasured = [0]) {
  localStorage.clear();
  const get = async (path: string) => ({
    data: path.endsWith("/caption-edits") ? [] : { items, next: null },
  });
  vi.spyOn(client, "GET").mockImplementation(get as never);
  const post = async (path: string) => ({
    data: path.endsWith("/check")
      ? {
          findings: [blurred],
          n_unmeasured: n_unmeasured.length > 1 ? n_unmeasured.shift() : n_unmeasured[0],
        }
      : { n_changed: 1, changes: [], edit: null },
  });
  const posted = vi.spyOn(client, "POST").mockImplementation(post as never);
  const patch = async (_: string, { body }: { body: object }) => ({ data: body });
  const saved = vi.spyOn(client, "PATCH").mockImplementation(patch as never);
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: 60_000 } } });
  queries.setQueryData(["datasets", "d", "items"], items);
  const captions = captionsOf(queries);
  const page = (
    <QueryClientProvider client={queries}>
      <CaptionsProvider value={captions}>
        <TooltipProvider>
          <Page queries={queries} first={first} />
        </TooltipProvider>
      </CaptionsProvider>
    </QueryClientProvider>
  );
  render(page);
  return { saved, posted, get: vi.mocked(client.GET), user: userEvent.setup() };
}

const names = () =>
  within(screen.getByRole("list", { name: "Pictures" }))
    .getAllByRole("checkbox")
    .map((box) => box.getAttribute("aria-label"));

const countOf = (calls: unknown[][], ending: string) =>
  calls.filter(([path]) => String(path).endsWith(ending)).length;

test("a facet filters, and what the checks say stands at the picture", async () => {
  const { user } = setup();
  expect(screen.getByText("All 4 shown")).toBeDefined();
  await user.click(await screen.findByRole("button", { name: /^Blurred ?1$/ }));
  expect(screen.getByText("1 of 4 shown")).toBeDefined();
  expect(names()).toEqual(["Select d.png"]);
  expect(screen.getByText("Is blurred by 3 pixels.")).toBeDefined();
  await user.click(screen.getByRole("button", { name: /^Blurred ?1$/ }));
  await user.click(screen.getByRole("button", { name: /^zora ?2$/ }));
  expect(names()).toEqual(["Select b.png", "Select d.png"]);
});

test("a tag that was chosen is renamed in all captions, after the difference", async () => {
  const { posted, user } = setup({ tag: "hat" });
  await user.click(screen.getByRole("button", { name: "Rename or remove hat" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Rename or remove a tag" }));
  expect(dialog.getByLabelText("Tag")).toHaveProperty("value", "hat");
  await user.type(dialog.getByLabelText("New name"), "cap{Enter}");
  const operation = { kind: "rename_tag", tag: "hat", new_tag: "cap" };
  const sent = { body: { operation, items: null, dry_run: true } };
  expect(posted).toHaveBeenCalledWith(
    expect.stringContaining("caption-edits"),
    expect.objectContaining(sent),
  );
});

test("Enter saves a caption and goes to the next one that is shown, Alt with Enter goes back", async () => {
  const { saved, user } = setup({ show: "no_caption" });
  const a = screen.getByLabelText("Caption of a.png");
  await user.type(a, "a fox{Enter}");
  expect(document.activeElement).toBe(screen.getByLabelText("Caption of c.png"));
  await waitFor(() => expect(saved).toHaveBeenCalledOnce());
  await user.keyboard("{Alt>}{Enter}{/Alt}");
  expect(document.activeElement).toBe(screen.getByLabelText("Caption of a.png"));
});

test("ranges are selected in the order that is shown", async () => {
  const { user } = setup({ sort: "newest" });
  expect(names()[0]).toBe("Select d.png");
  await user.click(screen.getByRole("checkbox", { name: "Select d.png" }));
  await user.keyboard("{Shift>}");
  await user.click(screen.getByRole("checkbox", { name: "Select b.png" }));
  await user.keyboard("{/Shift}");
  const bar = within(screen.getByRole("region", { name: "Selection" }));
  expect(bar.getByText("3 selected")).toBeDefined();
  expect(screen.getByRole("checkbox", { name: "Select a.png" })).toHaveProperty("checked", false);
  await user.keyboard("{Control>}a{/Control}");
  expect(bar.getByText("4 selected")).toBeDefined();
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("region", { name: "Selection" })).toBeNull();
});

test("a picture is shown large, and the arrows and Page keys go through those that are shown", async () => {
  const { user } = setup({ show: "no_caption" });
  await user.click(screen.getByRole("button", { name: "Show a.png large" }));
  const view = await screen.findByRole("dialog", { name: "a.png" });
  expect(within(view).getByText("1 of 2")).toBeDefined();
  await user.click(within(view).getByRole("button", { name: "Next picture" }));
  expect(screen.getByRole("dialog", { name: "c.png" })).toBeDefined();
  await user.keyboard("{PageUp}");
  expect(screen.getByRole("dialog", { name: "a.png" })).toBeDefined();
  await user.click(within(view).getByRole("button", { name: "Zoom in" }));
  expect(within(view).getByRole("region", { name: "Picture at 50 %" })).toBeDefined();
});

test.each([
  ["all are measured", [9, 4, 0], 3],
  ["no more can be measured", [9, 4, 4], 3],
])("pictures are measured until %s, and then the list is read again", async (_, n_unmeasured, n_asked) => {
  const { posted, get } = setup({ sort: "blurred" }, n_unmeasured);
  const n_checks = () => countOf(posted.mock.calls, "/check");
  const n_reads = () => countOf(get.mock.calls, "/items");
  await waitFor(() => expect(n_checks()).toBe(n_asked), { timeout: 4000 });
  await waitFor(() => expect(n_reads()).toBe(1));
});
