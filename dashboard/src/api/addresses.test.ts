import { expect, test } from "vitest";
import { keepAddresses } from "./addresses";

const HOUR = 3_600_000;
const item = (file: string, exp: number) => ({
  id: file,
  url: `/blob/${file}?exp=${exp}&sig=s${exp}`,
  notes: ["n"],
});

test("a picture keeps its first address while that is valid, wherever it stands in the answer", () => {
  const first = keepAddresses({ items: [item("a", 1)] }, 0);
  const second = keepAddresses({ items: [item("b", 2), item("a", 2)] }, 60_000);
  expect(first).toEqual({ items: [item("a", 1)] });
  expect(second).toEqual({ items: [item("b", 2), item("a", 1)] });
  expect(keepAddresses(item("a", 3), HOUR)).toEqual(item("a", 3));
});

test("what a signature covers beside the file makes another address", () => {
  const shown = { preview_urls: ["https://s3/x?X-Amz-Date=1&type=png"] };
  const saved = { preview_urls: ["https://s3/x?X-Amz-Date=2&name=x.png"] };
  expect(keepAddresses(shown, 0)).toEqual(shown);
  expect(keepAddresses(saved, 0)).toEqual(saved);
  expect(keepAddresses({ preview_urls: ["https://s3/x?X-Amz-Date=3&type=png"] }, 0)).toEqual(shown);
});

test("everything else is passed through", () => {
  const answer = { n: 1, none: null, url: "/plain.png", nested: { list: [1, "two"] } };
  expect(keepAddresses(answer, 0)).toEqual(answer);
});
