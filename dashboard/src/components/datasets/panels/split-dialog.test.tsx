import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { anItem } from "~/testing";
import { SplitDialog } from "./split-dialog";

const left = { left: 0, top: 0, width: 290, height: 900 };
const right = { left: 310, top: 0, width: 290, height: 900 };

function setup() {
  const found = { is_page: true, panels: [left, right].map((frame) => ({ frame, confidence: 1 })) };
  vi.spyOn(client, "GET").mockImplementation((async () => ({ data: found })) as never);
  const made = { page: anItem(), panels: [anItem()], kept: [], n_replaced: 0, refused: [] };
  const posted = vi.spyOn(client, "POST").mockImplementation((async () => ({ data: made })) as never);
  const onClose = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <SplitDialog
        dataset="d"
        item={anItem({ file_name: "page.png", width: 600, height: 900 })}
        onClose={onClose}
      />
    </QueryClientProvider>,
  );
  return { posted, onClose, user: userEvent.setup() };
}

const panel = (name: RegExp) => screen.getByRole("button", { name });

test("panels that were found are numbered, corrected by keyboard, and made", async () => {
  const { posted, onClose, user } = setup();
  expect(
    await screen.findByRole("button", { name: /^Panel 1 of 2: 290 × 900 pixels at 0, 0$/ }),
  ).toBeDefined();
  await user.click(screen.getByRole("button", { name: "Right to left" }));
  panel(/^Panel 1 of 2: 290 × 900 pixels at 310, 0$/).focus();
  await user.keyboard("{ArrowLeft}{Shift>}{ArrowUp}{/Shift}");
  expect(panel(/^Panel 1 of 2: 290 × 891 pixels at 301, 0$/)).toBe(document.activeElement);
  await user.click(screen.getByRole("button", { name: "Make 2 panels" }));
  const frames = [{ ...right, left: 301, height: 891 }, left];
  expect(posted).toHaveBeenCalledWith("/api/v1/datasets/{id}/items/{item_id}/panels", {
    params: { path: { id: "d", item_id: "i" } },
    body: { frames, balloons: "keep" },
  });
  await vi.waitFor(() => expect(onClose).toHaveBeenCalled());
});

test("panels are added and removed, and come back as they were found", async () => {
  const { user } = setup();
  (await screen.findByRole("button", { name: /^Panel 1 of 2/ })).focus();
  await user.keyboard("{Delete}");
  expect(panel(/^Panel 1 of 1: 290 × 900 pixels at 310, 0$/)).toBe(document.activeElement);
  await user.keyboard("{Delete}");
  expect(screen.getByRole("button", { name: "Make 0 panels" })).toHaveProperty("disabled", true);
  await user.click(screen.getByRole("button", { name: "Add a panel" }));
  expect(panel(/^Panel 1 of 1: 200 × 300 pixels at 200, 300$/)).toBeDefined();
  await user.click(screen.getByRole("button", { name: "As found" }));
  expect(panel(/^Panel 2 of 2/)).toBeDefined();
});
