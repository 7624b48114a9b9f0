import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { CopyButton } from "./copy-button";
import { ToastProvider } from "./toast";

function show() {
  const user = userEvent.setup();
  render(
    <ToastProvider>
      <CopyButton text="whsec_c2VjcmV0" />
    </ToastProvider>,
  );
  return user;
}

test("says that it copied", async () => {
  const user = show();
  await user.click(screen.getByRole("button", { name: "Copy" }));
  expect(await screen.findByText("Copied")).toBeTruthy();
  expect(await navigator.clipboard.readText()).toBe("whsec_c2VjcmV0");
});

test("says what to do where pages have no clipboard", async () => {
  const user = show();
  vi.stubGlobal("navigator", { ...navigator, clipboard: undefined });
  await user.click(screen.getByRole("button", { name: "Copy" }));
  expect(await screen.findAllByText(/select the text/)).not.toEqual([]);
  vi.unstubAllGlobals();
});
