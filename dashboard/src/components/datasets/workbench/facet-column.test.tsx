import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { anItem } from "~/testing";
import { FacetColumn } from "./facet-column";
import { facetsOf } from "./facets";
import { tagCounts } from "./tags";

function show(n_tags: number, tag?: string) {
  const items = Array.from({ length: n_tags }, (_, n) => anItem({ id: `${n}`, caption: `tag ${n}` }));
  const onAll = vi.fn();
  const onShow = vi.fn();
  const onTag = vi.fn();
  render(
    <FacetColumn
      facets={facetsOf(items, [])}
      tags={tagCounts(items)}
      n_items={items.length}
      show="held_out"
      tag={tag}
      onAll={onAll}
      onShow={onShow}
      onTag={onTag}
      onEditTag={() => {}}
    />,
  );
  return { onAll, onShow, onTag, user: userEvent.setup() };
}

test("facets that no picture has are left out, but for those that one looks for", () => {
  show(1);
  expect(screen.getByRole("button", { name: /^No caption ?0$/ })).toBeDefined();
  expect(screen.queryByRole("button", { name: /^Blurred/ })).toBeNull();
});

test("a second click on a facet takes it away, and All takes everything away", async () => {
  const { onAll, onShow, user } = show(1);
  const heldOut = screen.getByRole("button", { name: /^Held out/ });
  expect(heldOut.getAttribute("aria-pressed")).toBe("true");
  await user.click(heldOut);
  expect(onShow).toHaveBeenCalledExactlyOnceWith(undefined);
  await user.click(screen.getByRole("button", { name: /^All/ }));
  expect(onAll).toHaveBeenCalledOnce();
});

test("many tags come in steps, and what is chosen is listed although no caption has it any more", async () => {
  const { onTag, user } = show(100, "gone");
  const tags = () =>
    screen.getByRole("list", { name: "Tags by frequency" }).querySelectorAll("[aria-pressed]");
  expect(tags()).toHaveLength(41);
  await user.click(screen.getByRole("button", { name: "More tags (60)" }));
  expect(tags()).toHaveLength(81);
  await user.click(screen.getByRole("button", { name: /^gone ?0$/ }));
  expect(onTag).toHaveBeenCalledExactlyOnceWith(undefined);
});
