import { expect, test } from "vitest";
import { pastedToken } from "./pasted-token";

test.each([
  ["abc", "abc"],
  [" abc\n", "abc"],
  ["http://127.0.0.1:7860/login?token=abc", "abc"],
  ["http://127.0.0.1:7860/login?next=/jobs&token=abc&x=1", "abc"],
  ["http://127.0.0.1:7860/#token=abc", "abc"],
])("%j holds the token %s", (text, token) => {
  expect(pastedToken(text)).toBe(token);
});
