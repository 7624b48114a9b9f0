import { expect, test } from "vitest";
import { changesSentence } from "./again-notice";

test("what changed in the dataset is one sentence", () => {
  const none = { n_added: 0, n_removed: 0, n_recaptioned: 0, n_shown_otherwise: 0 };
  expect(changesSentence(none)).toBe("The dataset is as it was.");
  expect(changesSentence({ ...none, n_added: 2, n_recaptioned: 1 })).toBe(
    "In the dataset since then: 2 pictures added, 1 caption changed.",
  );
});
