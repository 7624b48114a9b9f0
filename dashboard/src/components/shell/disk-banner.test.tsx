import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { systemQuery } from "~/api/queries";
import type { SystemStatus } from "~/api/types";
import { DiskBanner } from "./disk-banner";

function show(is_short: boolean, is_out_of_files = false) {
  const status: SystemStatus = {
    sends_mail: false,
    disk: {
      is_short,
      folders: [
        {
          name: "data",
          free_bytes: 1_000_000_000,
          total_bytes: 100_000_000_000,
          min_free_bytes: 2_000_000_000,
          resume_at_bytes: 2_500_000_000,
          is_out_of_files,
          is_short,
        },
      ],
    },
  };
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  queries.setQueryData(systemQuery().queryKey, status);
  render(
    <QueryClientProvider client={queries}>
      <DiskBanner />
    </QueryClientProvider>,
  );
}

test("a full disk is told with figures", () => {
  show(true);
  const text = screen.getByRole("status").textContent ?? "";
  expect(text).toContain("Uploads are rejected and jobs are paused.");
  expect(text).toMatch(/1.* GB are free; work resumes at 2\.5 GB/);
});

test("a disk without room for files is told without a limit of bytes", () => {
  show(true, true);
  const text = screen.getByRole("status").textContent ?? "";
  expect(text).toMatch(/It can hold hardly any more files, although 1.* GB are free\./);
});

test("with room, nothing is said", () => {
  show(false);
  expect(screen.queryByRole("status")).toBeNull();
});
