import { expect, test } from "vitest";
import { dismissal } from "./confirm";

test("the button that does nothing cannot be taken for the other", () => {
  expect(dismissal("Delete")).toBe("Cancel");
  expect(dismissal("Sign out everywhere")).toBe("Cancel");
  expect(dismissal("Cancel the job")).toBe("Keep it");
});
