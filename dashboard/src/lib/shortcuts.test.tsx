import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { type Shortcut, useShortcuts } from "./shortcuts";

function Page({ shortcuts, enabled }: { shortcuts: Shortcut[]; enabled: boolean }) {
  useShortcuts(shortcuts, enabled);
  return <input aria-label="Name" />;
}

function setup(enabled = true) {
  const go = vi.fn();
  const jump = vi.fn();
  const shortcuts = [
    { keys: "g j", description: "Go to jobs", run: go },
    { keys: "j", description: "Next row", run: jump },
  ];
  render(<Page shortcuts={shortcuts} enabled={enabled} />);
  return { go, jump, user: userEvent.setup() };
}

test("a sequence wins over the single key that ends it", async () => {
  const { go, jump, user } = setup();
  await user.keyboard("gj");
  expect(go).toHaveBeenCalledOnce();
  expect(jump).not.toHaveBeenCalled();
  await user.keyboard("j");
  expect(jump).toHaveBeenCalledOnce();
});

test("keys are left alone while somebody types, with a modifier, and when switched off", async () => {
  const { jump, user } = setup();
  await user.keyboard("{Control>}j{/Control}");
  await user.click(screen.getByLabelText("Name"));
  await user.keyboard("j");
  expect(jump).not.toHaveBeenCalled();
});

test("they can be switched off", async () => {
  const { jump, user } = setup(false);
  await user.keyboard("j");
  expect(jump).not.toHaveBeenCalled();
});
