import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Said } from "./said";

test("names between backticks are set apart, and a lone backtick is a letter", () => {
  const { container } = render(<Said>{"The file `zora.png` is 5` long."}</Said>);
  expect(container.textContent).toBe("The file zora.png is 5` long.");
  expect([...container.querySelectorAll("code")].map((code) => code.textContent)).toEqual(["zora.png"]);
});
