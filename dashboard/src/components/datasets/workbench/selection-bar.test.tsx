import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { Item } from "~/api/types";
import { CaptionsProvider } from "~/captions/captions";
import { CaptionSaver } from "~/captions/saver";
import { anItem } from "~/testing";
import { SelectionBar } from "./selection-bar";

const items = [
  anItem({ id: "a", split: "held_out" }),
  anItem({ id: "b", group: "hat" }),
  anItem({ id: "c" }),
];

function show(answer: (id: string) => unknown) {
  const sent: string[] = [];
  const patch = async (
    _: string,
    { params, body }: { params: { path: { item_id: string } }; body: object },
  ) => {
    sent.push(`${params.path.item_id} ${JSON.stringify(body)}`);
    return { data: answer(params.path.item_id) };
  };
  vi.spyOn(client, "PATCH").mockImplementation(patch as never);
  vi.spyOn(client, "GET").mockResolvedValue({ data: [] } as never);
  const queries = new QueryClient();
  queries.setQueryData(["datasets", "d", "items"], items);
  const saver = new CaptionSaver({ send: vi.fn(), onSaved: () => {}, onSignedOut: () => {} });
  const bar = (selected: Item[]) => (
    <QueryClientProvider client={queries}>
      <CaptionsProvider value={saver}>
        <SelectionBar
          dataset="d"
          selected={selected}
          n_shown={3}
          n_hidden={1}
          n_items={5}
          groups="groups"
          onAll={() => {}}
          onNone={() => {}}
        />
      </CaptionsProvider>
    </QueryClientProvider>
  );
  const { rerender, unmount } = render(bar(items));
  const select = (selected: Item[]) => rerender(bar(selected));
  const kept = () => queries.getQueryData<Item[]>(["datasets", "d", "items"]);
  return { sent, kept, select, unmount, queries, saver, user: userEvent.setup() };
}

test("a button says how many it changes, changes those, and takes it back", async () => {
  const { sent, kept, user } = show((id) => ({ id }));
  expect(screen.getByText("· 1 not shown")).toBeDefined();
  expect(screen.getByRole("button", { name: "Train on 1" })).toBeDefined();
  await user.click(screen.getByRole("button", { name: "Hold out 2" }));
  expect(await screen.findByText("2 pictures held out.")).toBeDefined();
  expect(sent.toSorted()).toEqual(['b {"split":"held_out"}', 'c {"split":"held_out"}']);
  expect(kept()?.map(({ split }) => split)).toEqual(["held_out", "held_out", "held_out"]);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() => expect(kept()?.map(({ split }) => split)).toEqual(["held_out", "train", "train"]));
});

test("pictures move to a group, and those that the server refuses go back", async () => {
  const { kept, user } = show((id) => {
    if (id === "c") throw new Error("the server is away");
    return { id };
  });
  await user.type(screen.getByLabelText("Group of the selected pictures"), "hat");
  await user.click(screen.getByRole("button", { name: "Move 2 to hat" }));
  expect(await screen.findByText("1 picture moved to hat.")).toBeDefined();
  expect(kept()?.map(({ group }) => group)).toEqual(["hat", "hat", ""]);
});

test("what was undone is done again, although nothing is selected any more", async () => {
  const { kept, select, user } = show((id) => ({ id }));
  const splits = () => kept()?.map(({ split }) => split);
  await user.click(screen.getByRole("button", { name: "Hold out 2" }));
  await screen.findByText("2 pictures held out.");
  select([]);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("2 pictures changed back.");
  expect(splits()).toEqual(["held_out", "train", "train"]);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() => expect(splits()).toEqual(["held_out", "held_out", "held_out"]));
});

test("undo skips pictures that were changed since, and says how many", async () => {
  const { sent, kept, queries, user } = show((id) => ({ id }));
  await user.type(screen.getByLabelText("Group of the selected pictures"), "coat");
  await user.click(screen.getByRole("button", { name: "Move 3 to coat" }));
  await screen.findByText("3 pictures moved to coat.");
  queries.setQueryData<Item[]>(["datasets", "d", "items"], (all) =>
    all?.map((one) => (one.id === "b" ? { ...one, group: "shoes" } : one)),
  );
  sent.length = 0;
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(
    await screen.findByText("2 pictures changed back. 1 picture skipped: changed or deleted since."),
  ).toBeDefined();
  expect(sent.toSorted()).toEqual(['a {"group":""}', 'c {"group":""}']);
  expect(kept()?.map(({ group }) => group)).toEqual(["", "shoes", ""]);
});

test("a refused picture keeps what else was changed meanwhile, and the list is read again", async () => {
  const { kept, queries, user } = show((id) => {
    queries.setQueryData<Item[]>(["datasets", "d", "items"], (all) =>
      all?.map((one) => (one.id === "c" ? { ...one, split: "held_out" } : one)),
    );
    if (id === "c") throw new Error("the server is away");
    return { id };
  });
  await user.type(screen.getByLabelText("Group of the selected pictures"), "hat");
  await user.click(screen.getByRole("button", { name: "Move 2 to hat" }));
  await screen.findByText("1 picture moved to hat.");
  expect(kept()?.[2]).toMatchObject({ group: "", split: "held_out" });
  expect(queries.getQueryState(["datasets", "d", "items"])?.isInvalidated).toBe(true);
});

test("the question says that pictures which are not shown are deleted, and their captions go with them", async () => {
  const { saver, unmount, user } = show((id) => ({ id }));
  const deleted = vi.spyOn(client, "DELETE").mockImplementation((async () => {
    unmount();
    return {};
  }) as never);
  const discarded = vi.spyOn(saver, "discard");
  await user.click(screen.getByRole("button", { name: "Delete 3" }));
  const dialog = within(await screen.findByRole("alertdialog"));
  expect(dialog.getByText(/^1 of them is not shown now\. /)).toBeDefined();
  await user.click(dialog.getByRole("button", { name: "Delete 3 pictures" }));
  await waitFor(() => expect(discarded.mock.calls.map(([{ item }]) => item)).toEqual(["a", "b", "c"]));
  expect(deleted).toHaveBeenCalledTimes(3);
});
