import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { ToastProvider } from "~/components/ui/toast";
import { DeleteButton } from "./delete-button";

test("what was deleted can be brought back although its button is gone", async () => {
  let answer: (answer: never) => void = () => {};
  const answered = new Promise<never>((resolve) => {
    answer = resolve;
  });
  const post = vi.spyOn(client, "POST").mockReturnValueOnce(answered);
  const queries = new QueryClient();
  const onDeleted = vi.fn();
  const items = [{ kind: "job" as const, id: "a" }];
  const page = (button: boolean) => (
    <QueryClientProvider client={queries}>
      <ToastProvider>
        {button && <DeleteButton items={items} what="Zora" onDeleted={onDeleted} />}
      </ToastProvider>
    </QueryClientProvider>
  );
  const { rerender } = render(page(true));
  const user = userEvent.setup();
  await user.dblClick(screen.getByRole("button", { name: "Delete" }));
  expect(post).toHaveBeenCalledOnce();
  rerender(page(false));
  answer({ data: [] } as never);
  await screen.findByText("Zora deleted");
  expect(onDeleted).not.toHaveBeenCalled();
  post.mockResolvedValueOnce({} as never);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("Zora restored");
  expect(post).toHaveBeenLastCalledWith("/api/v1/trash/restore", { body: { items } });
});
