import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { SearchField } from "./search-field";

test("what is typed stays while the address lags behind", () => {
  const show = (value: string) => <SearchField label="Search" value={value} onValueChange={vi.fn()} />;
  const { rerender } = render(show(""));
  const field = screen.getByLabelText("Search");
  fireEvent.change(field, { target: { value: "z" } });
  fireEvent.change(field, { target: { value: "zo" } });
  rerender(show("z"));
  expect(field).toHaveProperty("value", "zo");
  rerender(show("zo"));
  expect(field).toHaveProperty("value", "zo");
  // Somebody went back, or followed a link.
  rerender(show("max"));
  expect(field).toHaveProperty("value", "max");
});
