import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { loraCopiesQuery } from "~/api/copies";
import type { LoraCopies, ModelVersion } from "~/api/types";
import { CopyProperty } from "./copy-property";

const ID = "01900000-0000-7000-8000-000000000001";
const copy = { model_version_id: ID, file_name: "Zora-v1.safetensors" };

function shown(copies: LoraCopies, stage: ModelVersion["stage"] = "approved"): string {
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  queries.setQueryData(loraCopiesQuery().queryKey, copies);
  const version = { id: ID, stage } as ModelVersion;
  const { container } = render(
    <QueryClientProvider client={queries}>
      <CopyProperty version={version} />
    </QueryClientProvider>,
  );
  return container.textContent ?? "";
}

test("a copy is named with its folder", () => {
  expect(shown({ folder: "/loras", copies: [copy] })).toContain("/loras/Zora-v1.safetensors");
  expect(shown({ folder: "/loras", copies: [] })).toContain("It is being copied");
});

test("what prevents it is said", () => {
  const full = "the disk of `/loras` is full: free space on it";
  const wanted = `Not copied yet: ${full}. It is tried again.`;
  expect(shown({ folder: "/loras", problem: full, copies: [copy] })).toContain(wanted);
  expect(shown({ folder: "/loras", copies: [{ ...copy, problem: full }] })).toContain(wanted);
});

test("without a folder or an approval, nothing is said", () => {
  expect(shown({ copies: [] })).toBe("");
  expect(shown({ folder: "/loras", copies: [] }, "draft")).toBe("");
});
