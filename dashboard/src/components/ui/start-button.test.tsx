import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { CarefulForm } from "./careful-form";
import { StartButton } from "./start-button";

function setup() {
  const onStart = vi.fn();
  render(
    <CarefulForm>
      <input aria-label="Limit" />
      <StartButton onStart={onStart}>Start</StartButton>
    </CarefulForm>,
  );
  return { onStart, user: userEvent.setup(), button: screen.getByRole("button") };
}

test("a double click starts once", async () => {
  const { onStart, user, button } = setup();
  await user.dblClick(button);
  expect(onStart).toHaveBeenCalledOnce();
});

test("Enter in a field starts nothing, Enter on the button does", async () => {
  const { onStart, user, button } = setup();
  await user.type(screen.getByLabelText("Limit"), "5{Enter}");
  expect(onStart).not.toHaveBeenCalled();
  button.focus();
  await user.keyboard("{Enter}");
  expect(onStart).toHaveBeenCalledOnce();
});

test("a key that is held down does not start again", () => {
  const { button } = setup();
  const isAllowed = fireEvent.keyDown(button, { key: "Enter", repeat: true });
  expect(isAllowed).toBe(false);
});
