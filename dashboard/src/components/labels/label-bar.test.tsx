import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, renderHook, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { useUpdateLabel } from "~/api/labels";
import { labelsQuery } from "~/api/queries";
import type { Label } from "~/api/types";
import { LabelBar } from "./label-bar";

const label = (subject_id: string, tags: string[]): Label => ({
  id: `label of ${subject_id}`,
  kind: "model",
  subject_id,
  starred: false,
  tags,
  note: "",
  updated_at: "",
});

/** An answer that comes when the test says so. */
function later() {
  let resolve: (answer: unknown) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<unknown>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

function setup() {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>{children}</QueryClientProvider>
  );
  return { queries, wrapper };
}

test("nothing can be changed before it is known what is there", async () => {
  const answer = later();
  vi.spyOn(client, "GET").mockReturnValue(answer.promise as never);
  const patch = vi.spyOn(client, "PATCH");
  const { wrapper } = setup();
  render(<LabelBar kind="model" id="a" name="Zora" />, { wrapper });
  const user = userEvent.setup();
  await user.click(screen.getByRole("button", { name: "Tag" }));
  await user.click(screen.getByRole("button", { name: "Star Zora" }));
  expect(screen.queryByLabelText("New tag")).toBeNull();
  expect(patch).not.toHaveBeenCalled();

  answer.resolve({ data: { items: [label("a", ["ink"])] } });
  await screen.findByText("ink");
  patch.mockResolvedValue({ data: label("a", ["ink", "city"]) } as never);
  await user.click(screen.getByRole("button", { name: "Tag" }));
  await user.type(screen.getByLabelText("New tag"), "city{Enter}");
  expect(patch.mock.calls[0]?.[1]).toMatchObject({ body: { tags: ["ink", "city"] } });
});

test("a change that is refused late takes no other one out of view", async () => {
  const { queries, wrapper } = setup();
  const { queryKey } = labelsQuery("model");
  queries.setQueryData(queryKey, [label("a", []), label("b", ["old"])]);
  const late = later();
  vi.spyOn(client, "PATCH").mockImplementation(((
    _path: string,
    { params }: { params: { path: { id: string } } },
  ) => (params.path.id === "b" ? late.promise : Promise.resolve({ data: label("a", ["ink"]) }))) as never);
  const { result } = renderHook(() => useUpdateLabel("model"), { wrapper });
  const tags = (id: string) =>
    queries.getQueryData<Label[]>(queryKey)?.find(({ subject_id }) => subject_id === id)?.tags;
  act(() => {
    result.current.mutate({ id: "b", change: { tags: ["ink"] } });
    result.current.mutate({ id: "a", change: { tags: ["ink"] } });
  });
  await waitFor(() => expect(tags("b")).toEqual(["ink"]));
  await waitFor(() => expect(tags("a")).toEqual(["ink"]));
  expect(queries.getQueryState(queryKey)?.isInvalidated).toBe(false);
  await act(async () => late.reject(new Error("no")));
  await waitFor(() => expect(tags("b")).toEqual(["old"]));
  expect(tags("a")).toEqual(["ink"]);
  await waitFor(() => expect(queries.getQueryState(queryKey)?.isInvalidated).toBe(true));
});

test("a change where nothing is known makes no list of it alone", async () => {
  const { queries, wrapper } = setup();
  vi.spyOn(client, "PATCH").mockResolvedValue({ data: label("a", ["ink"]) } as never);
  const { result } = renderHook(() => useUpdateLabel("model"), { wrapper });
  await act(() => result.current.mutateAsync({ id: "a", change: { starred: true } }));
  expect(queries.getQueryData(labelsQuery("model").queryKey)).toBeUndefined();
});
