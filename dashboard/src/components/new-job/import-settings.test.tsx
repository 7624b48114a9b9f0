import { QueryClient, QueryClientProvider, useMutation } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { ImportedRecipe } from "~/api/types";
import { ImportSettings } from "./import-settings";

const READ: ImportedRecipe = {
  format: "kohya-ss",
  parameters: { rank: 16 },
  sample_prompts: [],
  left_out: [{ key: "flip_aug", value: "true", reason: "pictures are not mirrored" }],
  notes: ["its length is in epochs"],
};

vi.mock("~/api/recipes", () => ({
  useReadRecipe: () =>
    useMutation({
      mutationFn: async (text: string) => {
        if (text !== "{}") throw new Error("it is neither TOML nor JSON");
        return READ;
      },
    }),
}));

function setup() {
  const onImport = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ImportSettings onImport={onImport} />
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), onImport };
}

test("what was left out is shown before the settings are used", async () => {
  const { user, onImport } = setup();
  await user.click(screen.getByRole("button", { name: "Import settings…" }));
  await user.click(screen.getByLabelText("Settings"));
  await user.paste("{}");
  await user.click(screen.getByRole("button", { name: "Read" }));
  const left = await screen.findByRole("list", { name: "Left out" });
  expect(within(left).getByRole("listitem").textContent).toBe("flip_aug = truepictures are not mirrored");
  expect(screen.getByText("Its length is in epochs.")).toBeDefined();
  expect(onImport).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Use these settings" }));
  expect(onImport).toHaveBeenCalledWith(READ);
});

test("settings that cannot be read are said to be so, until they change", async () => {
  const { user, onImport } = setup();
  await user.click(screen.getByRole("button", { name: "Import settings…" }));
  await user.click(screen.getByLabelText("Settings"));
  await user.paste("<html>");
  await user.click(screen.getByRole("button", { name: "Read" }));
  expect(await screen.findByText(/neither TOML nor JSON/)).toBeDefined();
  await user.type(screen.getByLabelText("Settings"), "x");
  expect(screen.queryByText(/neither TOML nor JSON/)).toBeNull();
  expect(onImport).not.toHaveBeenCalled();
});
