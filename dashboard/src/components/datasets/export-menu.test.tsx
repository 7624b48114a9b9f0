import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { ExportMenu } from "./export-menu";

test("each format is a download of its own", async () => {
  render(<ExportMenu dataset="d" items={[{}]} />);
  await userEvent.setup().click(screen.getByRole("button", { name: "Export" }));
  const formats = await screen.findAllByRole("menuitem");
  expect(formats.map((format) => format.getAttribute("href"))).toEqual([
    "/api/v1/datasets/d/export?format=kohya",
    "/api/v1/datasets/d/export?format=diffusers",
    "/api/v1/datasets/d/export?format=onetrainer",
  ]);
  for (const format of formats) expect(format.hasAttribute("download")).toBe(true);
});

test("what is lost is said before a download", async () => {
  render(<ExportMenu dataset="d" items={[{}, { damage: "missing" }]} />);
  await userEvent.setup().click(screen.getByRole("button", { name: "Export" }));
  expect(await screen.findByText(/1 picture lost or damaged/)).toBeDefined();
  expect(screen.queryByRole("menuitem")).toBeNull();
});
