import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { AuditEntry } from "~/api/types";
import { AuditLog } from "./audit-log";

const entry: AuditEntry = {
  id: "1",
  at: "2026-11-29T20:00:00Z",
  action: "sign_in_failed",
  label: "Sign-in refused",
  category: "access",
  actor: "nobody",
  address: "203.0.113.7",
  n: 400,
};

test("an entry says what, who, from where, and how often", () => {
  const renamed: AuditEntry = {
    ...entry,
    id: "2",
    action: "dataset_renamed",
    label: "Renamed a dataset",
    category: "data",
    actor: "token ci",
    subject: "Zora (1)",
    detail: "was Lora",
    n: 1,
  };
  render(<AuditLog entries={[renamed, entry]} />);
  const [first, second] = screen.getAllByRole("row").slice(1);
  expect(first?.textContent).toContain("Renamed a dataset: Zora (1)was Loratoken ci203.0.113.7");
  expect(second?.textContent).toContain("Sign-in refused 400 timesnobody203.0.113.7");
});
