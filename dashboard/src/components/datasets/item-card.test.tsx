import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { Item } from "~/api/types";
import { ItemCard } from "./item-card";

const item: Item = {
  id: "i",
  file_name: "001.png",
  caption: "zora, smiling",
  split: "train",
  width: 128,
  height: 96,
  size_bytes: 9000,
  sha256: "00",
  url: "/001.png",
  notes: ["rotated as its EXIF tag says"],
};

function setup() {
  const onChange = vi.fn();
  const onDelete = vi.fn();
  render(<ItemCard item={item} onChange={onChange} onDelete={onDelete} />);
  return {
    onChange,
    onDelete,
    user: userEvent.setup(),
    caption: screen.getByLabelText("Caption of 001.png"),
  };
}

test("a caption is saved on Enter, trimmed", async () => {
  const { onChange, user, caption } = setup();
  await user.clear(caption);
  await user.type(caption, " zora, frowning {Enter}");
  expect(onChange).toHaveBeenCalledExactlyOnceWith({ caption: "zora, frowning" });
});

test("Escape takes a change back, and an unchanged caption is not sent", async () => {
  const { onChange, user, caption } = setup();
  await user.type(caption, " and more{Escape}");
  await user.tab();
  expect(onChange).not.toHaveBeenCalled();
  expect(caption).toHaveProperty("value", "zora, smiling");
});

test("the use can be changed, and deleting asks first", async () => {
  const { onChange, onDelete, user } = setup();
  await user.click(screen.getByRole("button", { name: "Held out" }));
  expect(onChange).toHaveBeenCalledExactlyOnceWith({ split: "held_out" });
  await user.click(screen.getByRole("button", { name: "Delete 001.png" }));
  expect(onDelete).not.toHaveBeenCalled();
  await user.click(await screen.findByRole("button", { name: "Delete" }));
  expect(onDelete).toHaveBeenCalledOnce();
});

test("notes can be read", () => {
  setup();
  expect(screen.getByRole("button", { name: /rotated as its EXIF tag says/ })).toBeDefined();
});

test("a lost file is told, with what to do", () => {
  const props = { onChange: vi.fn(), onDelete: vi.fn() };
  const { rerender } = render(<ItemCard item={{ ...item, damage: "missing" }} {...props} />);
  expect(screen.getByText("The file is lost. Upload the picture again.")).toBeDefined();
  rerender(<ItemCard item={item} {...props} />);
  expect(screen.queryByText(/Upload the picture again/)).toBeNull();
});
