import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { CountPrompts, PromptCounts } from "~/api/types";
import { PromptCounter } from "./counter";

const asked: CountPrompts[] = [];

function answer(data: PromptCounts) {
  const post = async (_: string, { body }: { body: CountPrompts }) => {
    asked.push(body);
    return { data };
  };
  vi.spyOn(client, "POST").mockImplementation(post as never);
}

afterEach(() => {
  asked.length = 0;
  vi.restoreAllMocks();
});

function Counter({ text }: { text: string }) {
  return <PromptCounter prompts={[text]} takesLoras baseModel="tiny-xl" />;
}

function show(text: string) {
  const queries = new QueryClient();
  const page = (text: string) => (
    <QueryClientProvider client={queries}>
      <Counter text={text} />
    </QueryClientProvider>
  );
  const { rerender } = render(page(text));
  return (text: string) => rerender(page(text));
}

test("what is typed is counted once it has settled", async () => {
  answer({
    prompts: [{ n_tokens: 160, chunks: [75, 75, 10], borders: [299, 599], loras: [], warnings: [] }],
  });
  const type = show("");
  expect(screen.getByText("0 / 75 tokens")).toBeDefined();
  for (const text of ["c", "ca", "cat"]) type(text);
  await waitFor(() => expect(screen.getByText("160 / 225 tokens in 3 chunks")).toBeDefined());
  expect(asked).toEqual([
    { prompts: [{ prompt: "cat", literal: false, takes_loras: true }], base_model: "tiny-xl" },
  ]);
  // An empty field counts as nothing at once, without asking.
  type("");
  expect(screen.getByText("0 / 75 tokens")).toBeDefined();
});

test("warnings are said, and all of them are one click away", async () => {
  const warnings = ["`<lora:zoro>` names `zoro`, and there is no model of that name", "`(` is never closed"];
  answer({ prompts: [{ n_tokens: 2, chunks: [2], borders: [], loras: [], warnings }] });
  show("(a <lora:zoro>");
  const first = await screen.findByText(/names/, { selector: "summary span" });
  expect(screen.getByText("+1")).toBeDefined();
  fireEvent.click(first);
  expect(screen.getByText(/is never closed/)).toBeDefined();
});
