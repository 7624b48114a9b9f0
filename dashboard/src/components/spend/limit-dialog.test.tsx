import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ProblemError } from "~/api/problem";
import { LimitDialog } from "./limit-dialog";

async function setup(limit: number | null, error: Error | null = null) {
  localStorage.clear();
  const mutate = vi.fn();
  const onDone = vi.fn();
  const user = userEvent.setup();
  render(
    <LimitDialog
      name="raise:1"
      trigger={(open) => (
        <button type="button" onClick={open}>
          Raise
        </button>
      )}
      title="Raise the limit"
      action="Set the limit"
      limit={limit}
      least={464_000}
      help=""
      mutation={{ mutate, reset: vi.fn(), isPending: false, error }}
      onDone={onDone}
    />,
  );
  await user.click(screen.getByRole("button", { name: "Raise" }));
  return { mutate, onDone, user, field: await screen.findByLabelText("Total limit in dollars") };
}

test("an exact amount is sent, and the dialog closes when that is done", async () => {
  const { mutate, onDone, user, field } = await setup(2_500_000);
  expect(field).toHaveProperty("value", "2.50");
  await user.clear(field);
  await user.type(field, "4.35{Enter}");
  expect(mutate, "Enter spends nothing").not.toHaveBeenCalled();
  await user.dblClick(screen.getByRole("button", { name: "Set the limit" }));
  expect(mutate).toHaveBeenCalledExactlyOnceWith(4_350_000, expect.anything());
  mutate.mock.lastCall?.[1].onSuccess();
  expect(onDone).toHaveBeenCalledExactlyOnceWith(4_350_000);
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("too little is refused with what would do, an empty field once somebody insists", async () => {
  const { mutate, user, field } = await setup(null);
  expect(screen.queryByRole("alert")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Set the limit" }));
  expect(screen.getByRole("alert").textContent).toBe("Enter an amount in dollars, such as 2.50.");
  await user.type(field, "0.1");
  expect(screen.getByRole("alert").textContent).toBe("Enter at least $0.464.");
  expect(mutate).not.toHaveBeenCalled();
});

test("the server's words about the limit stand at the field", async () => {
  const errors = [{ field: "limit_micro_usd", message: "must be more than $0.50, which is spent already" }];
  const { field } = await setup(
    2_000_000,
    new ProblemError({ type: "invalid_request", title: "", status: 400, errors }),
  );
  expect(screen.getByRole("alert").textContent).toBe("Must be more than $0.50, which is spent already.");
  expect(field.getAttribute("aria-invalid")).toBe("true");
});

test("an amount that was typed is there again after the dialog was closed, unless it was cancelled", async () => {
  const { user, field } = await setup(null);
  const reopen = async () => {
    await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await user.click(screen.getByRole("button", { name: "Raise" }));
    return screen.findByLabelText("Total limit in dollars");
  };
  await user.type(field, "7.5{Escape}");
  const again = await reopen();
  expect(again).toHaveProperty("value", "7.5");
  await user.click(screen.getByRole("button", { name: "Cancel" }));
  expect(await reopen()).toHaveProperty("value", "");
});
