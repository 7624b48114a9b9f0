import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ProblemError } from "~/api/problem";
import type { Item } from "~/api/types";
import { CaptionsProvider } from "~/captions/captions";
import { CaptionSaver } from "~/captions/saver";
import { anItem } from "~/testing";
import { ItemCard } from "./item-card";

const item = anItem({ notes: ["rotated as its EXIF tag says"] });

function setup(changed: Partial<Item> = {}, masks = false) {
  localStorage.clear();
  const send = vi.fn(async () => {});
  const onSplit = vi.fn();
  const onGroup = vi.fn();
  const onDeleteMask = vi.fn();
  const onDelete = vi.fn();
  const onSelect = vi.fn();
  const onOpen = vi.fn();
  const saver = new CaptionSaver({ send, onSaved: () => {}, onSignedOut: () => {} });
  render(
    <CaptionsProvider value={saver}>
      <ItemCard
        dataset="d"
        item={{ ...item, ...changed }}
        groups="groups"
        masks={masks}
        isSelected={false}
        onSelect={onSelect}
        onOpen={onOpen}
        onSplit={onSplit}
        onGroup={onGroup}
        onDeleteMask={onDeleteMask}
        onDelete={onDelete}
      />
    </CaptionsProvider>,
  );
  const caption = screen.getByLabelText("Caption of 001.png");
  return {
    send,
    onSplit,
    onGroup,
    onDeleteMask,
    onDelete,
    onSelect,
    onOpen,
    user: userEvent.setup(),
    caption,
  };
}

test("a caption is saved on Enter, trimmed, and says so", async () => {
  const { send, user, caption } = setup();
  await user.clear(caption);
  await user.type(caption, " zora, frowning ");
  expect(screen.getByText("Not saved yet")).toBeDefined();
  await user.type(caption, "{Enter}");
  expect(send).toHaveBeenCalledExactlyOnceWith(expect.anything(), "zora, frowning", "zora, smiling");
  expect(await screen.findByText("Saved")).toBeDefined();
});

test("Escape takes a change back, which can be had again", async () => {
  const { send, user, caption } = setup();
  await user.type(caption, " and more{Escape}");
  await user.tab();
  expect(send).not.toHaveBeenCalled();
  expect(caption).toHaveProperty("value", "zora, smiling");
  await user.click(screen.getByRole("button", { name: "Redo" }));
  expect(send).toHaveBeenCalledExactlyOnceWith(expect.anything(), "zora, smiling and more", "zora, smiling");
});

test("an unchanged caption is not sent", async () => {
  const { send, user, caption } = setup();
  await user.type(caption, "x{Backspace}{Enter}");
  expect(send).not.toHaveBeenCalled();
});

test("a caption that was changed elsewhere is shown beside this one", async () => {
  const { send, user, caption } = setup();
  send.mockRejectedValueOnce(
    new ProblemError({ type: "changed", title: "changed", status: 412, current: "zora, running" }),
  );
  await user.type(caption, "!{Enter}");
  const both = await screen.findByRole("region", { name: "Two captions of 001.png" });
  expect(both.textContent).toContain("zora, running");
  expect(caption).toHaveProperty("value", "zora, smiling!");
  await user.click(screen.getByRole("button", { name: "Keep mine" }));
  expect(send).toHaveBeenLastCalledWith(expect.anything(), "zora, smiling!", "zora, running");
});

test("the use can be changed, and deleting asks first", async () => {
  const { onSplit, onDelete, user } = setup();
  await user.click(screen.getByRole("button", { name: "Held out" }));
  expect(onSplit).toHaveBeenCalledExactlyOnceWith("held_out");
  await user.click(screen.getByRole("button", { name: "Delete 001.png" }));
  expect(onDelete).not.toHaveBeenCalled();
  await user.click(await screen.findByRole("button", { name: "Delete" }));
  expect(onDelete).toHaveBeenCalledOnce();
});

test("a group is saved on Enter, trimmed", async () => {
  const { onGroup, user } = setup();
  const group = screen.getByLabelText("Group of 001.png");
  await user.type(group, "x{Escape}");
  expect(onGroup).not.toHaveBeenCalled();
  await user.type(group, " outfit {Enter}");
  expect(onGroup).toHaveBeenCalledExactlyOnceWith("outfit");
});

test("a card shows the thumbnail in the shape of the picture, and loads it when it is near", () => {
  setup({ sha256: "ab" });
  const picture = screen.getByAltText("zora, smiling");
  expect(picture.getAttribute("src")).toBe("/api/v1/datasets/d/items/i/thumbnail?of=ab");
  expect(picture.getAttribute("loading")).toBe("lazy");
  expect([picture.getAttribute("width"), picture.getAttribute("height")]).toEqual(["128", "96"]);
});

test("notes can be read", () => {
  setup();
  expect(screen.getByRole("button", { name: /rotated as its EXIF tag says/ })).toBeDefined();
});

test("a lost file is told, with what to do", () => {
  const saver = new CaptionSaver({ send: vi.fn(), onSaved: () => {}, onSignedOut: () => {} });
  const card = (item: Item) => (
    <CaptionsProvider value={saver}>
      <ItemCard
        dataset="d"
        item={item}
        groups="groups"
        masks={false}
        isSelected={false}
        onSelect={vi.fn()}
        onOpen={vi.fn()}
        onSplit={vi.fn()}
        onGroup={vi.fn()}
        onDeleteMask={vi.fn()}
        onDelete={vi.fn()}
      />
    </CaptionsProvider>
  );
  const { rerender } = render(card({ ...item, damage: "missing" }));
  expect(screen.getByText("The file is lost. Upload the picture again.")).toBeDefined();
  rerender(card(item));
  expect(screen.queryByText(/Upload the picture again/)).toBeNull();
});

test("a mask is laid over its picture on demand, and is deleted without it", async () => {
  const masked = { has_mask: true, sha256: "ab" };
  setup(masked);
  expect(screen.queryByAltText("Loss mask of 001.png")).toBeNull();
  cleanup();
  const { onDeleteMask, onDelete, user } = setup(masked, true);
  const mask = screen.getByAltText("Loss mask of 001.png");
  expect(mask.getAttribute("src")).toBe("/api/v1/datasets/d/items/i/mask?of=ab");
  await user.click(screen.getByRole("button", { name: "Delete the loss mask of 001.png" }));
  await user.click(await screen.findByRole("button", { name: "Delete the mask" }));
  expect(onDeleteMask).toHaveBeenCalledOnce();
  expect(onDelete).not.toHaveBeenCalled();
});

test("a picture without a mask has none to show or delete", () => {
  setup({}, true);
  expect(screen.queryByAltText(/Loss mask/)).toBeNull();
  expect(screen.queryByRole("button", { name: /loss mask/ })).toBeNull();
});

test("a click shows a picture large, and one with a modifier key selects it as its checkbox does", async () => {
  const { onSelect, onOpen, user } = setup();
  const large = screen.getByRole("button", { name: "Show 001.png large" });
  await user.click(large);
  expect(onOpen).toHaveBeenCalledOnce();
  expect(onSelect).not.toHaveBeenCalled();
  await user.keyboard("{Shift>}");
  await user.click(large);
  await user.keyboard("{/Shift}");
  expect(onSelect.mock.calls[0]?.[0].shiftKey).toBe(true);
  await user.click(screen.getByRole("checkbox", { name: "Select 001.png" }));
  expect(onSelect).toHaveBeenCalledTimes(2);
  expect(onOpen).toHaveBeenCalledOnce();
});

test("a caption whose field goes away with the focus is saved", async () => {
  const { send, user, caption } = setup();
  await user.type(caption, "!");
  expect(send).not.toHaveBeenCalled();
  cleanup();
  expect(send).toHaveBeenCalledExactlyOnceWith(expect.anything(), "zora, smiling!", "zora, smiling");
});
