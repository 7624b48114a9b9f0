import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { TokenRuler } from "./token-ruler";

function show(text: string, count: object) {
  const post = vi.spyOn(client, "POST").mockResolvedValue({ data: { prompts: [count] } } as never);
  render(
    <QueryClientProvider client={new QueryClient()}>
      <TokenRuler text={text} max_tokens={75} />
    </QueryClientProvider>,
  );
  return post;
}

test("a long caption shows where its chunks end, and what is not read", async () => {
  const post = show("first second", { n_tokens: 80, chunks: [75, 5], borders: [5], loras: [], warnings: [] });
  expect(await screen.findByText("80 of 75 tokens: 5 are not read")).toBeDefined();
  expect(screen.getByText("first")).toBeDefined();
  expect(screen.getByText("second").className).toContain("line-through");
  // Brackets and tags are letters in a caption.
  expect(post.mock.calls[0]?.[1]).toMatchObject({ body: { prompts: [{ literal: true }] } });
});

test("an empty caption asks nothing", () => {
  const post = show(" ", {});
  expect(screen.getByText("0 of 75 tokens")).toBeDefined();
  expect(post).not.toHaveBeenCalled();
});
