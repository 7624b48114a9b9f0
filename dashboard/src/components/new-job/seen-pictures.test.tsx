import { render, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { SeenPicture } from "~/api/types";
import { facts, SeenPictures, timesSeen } from "./seen-pictures";

function seen(change: Partial<SeenPicture> = {}): SeenPicture {
  return {
    id: "a",
    sha256: "00",
    width: 832,
    height: 1216,
    cut: 0.124,
    caption: "zora, smiling",
    is_caption_changing: false,
    n_views: 100,
    ...change,
  };
}

test("a picture's size, cut and views are said in a line", () => {
  expect(facts(seen())).toBe("832×1216, 12 % cut off, about 100 times");
  expect(facts(seen({ cut: 0.001, n_views: 1, is_caption_changing: true }))).toBe(
    "832×1216, about once, tags change each time",
  );
});

test("repeats make a range of views", () => {
  expect(timesSeen([seen(), seen()])).toBe("about 100 times");
  expect(timesSeen([seen(), seen({ n_views: 1500 }), seen({ n_views: 50 })])).toBe("about 50 to 1,500 times");
});

test("each picture has its whole caption, and those that are not listed are counted", () => {
  render(<SeenPictures dataset="d" seen={[seen(), seen({ id: "b", caption: "" })]} n_items={12} />);
  const items = within(screen.getByRole("list", { hidden: true })).getAllByRole("listitem", { hidden: true });
  expect(items.map(({ textContent }) => textContent)).toEqual([
    "zora, smiling832×1216, 12 % cut off, about 100 times",
    "No caption832×1216, 12 % cut off, about 100 times",
    "and 10 more pictures",
  ]);
});
