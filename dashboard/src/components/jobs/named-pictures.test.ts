import { expect, test } from "vitest";
import { picturesIn, withNames } from "./named-pictures";

const items = [1, 2].map((n) => ({
  id: `01a20000-0000-7000-8000-00000000000${n}`,
  file_name: `${n}.png`,
  url: `/${n}`,
}));

test("pictures that a reason names by their ids are called by their files", () => {
  const reason = `the loss of step 3 is not finite (pictures ${items[1]?.id}): lower the learning rate`;
  const pictures = picturesIn(reason, items);
  expect(pictures.map(({ name }) => name)).toEqual(["2.png"]);
  expect(withNames(reason, pictures)).toBe(
    "the loss of step 3 is not finite (pictures `2.png`): lower the learning rate",
  );
});
