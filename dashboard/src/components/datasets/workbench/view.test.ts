import { expect, test } from "vitest";
import { anItem } from "~/testing";
import { facetsOf } from "./facets";
import { checkOf, matcher, parseView, SORTS, sorted } from "./view";

test("an address keeps what differs from the usual view, and nothing that is wrong", () => {
  expect(
    parseView({
      show: "blurred",
      tag: 2024,
      q: "",
      sort: "name",
      masks: true,
      purpose: "style",
      tokens: 225,
      resolution: 768,
    }),
  ).toEqual({
    show: "blurred",
    tag: "2024",
    sort: "name",
    masks: true,
    purpose: "style",
    tokens: 225,
    resolution: 768,
  });
  const usual = { sort: "added", purpose: "character", tokens: 75, resolution: 1024, masks: false };
  expect(parseView(usual)).toEqual({});
  expect(parseView({ show: "uncaptioned" }), "an older address").toEqual({ show: "no_caption" });
  expect(parseView({ sort: "color", tokens: 80, resolution: 5, purpose: "prop", show: {} })).toEqual({});
});

test("the checks are asked for what the address says", () => {
  expect(checkOf({})).toMatchObject({
    preset: "character",
    resolution: 1024,
    max_tokens: 75,
    trigger_word: "",
  });
  expect(checkOf({ trigger: "zora", tokens: 150 })).toMatchObject({ max_tokens: 150, trigger_word: "zora" });
});

test("facet, tag and search are all asked for", () => {
  const items = [
    anItem({ id: "a", caption: "Zora, Red_Hat", split: "held_out" }),
    anItem({ id: "b", caption: "zora, red hat" }),
    anItem({ id: "c", caption: "red hat band", file_name: "zora.png", split: "held_out" }),
  ];
  const heldOut = facetsOf(items, []).find(({ id }) => id === "held_out");
  const ids = (view: Parameters<typeof matcher>[0], facet = heldOut) =>
    items.filter(matcher(view, facet)).map(({ id }) => id);
  expect(ids({})).toEqual(["a", "c"]);
  expect(ids({ tag: "red hat" })).toEqual(["a"]);
  expect(ids({ q: "ZORA" })).toEqual(["a", "c"]);
  expect(items.filter(matcher({ tag: "red_hat" }, undefined)).map(({ id }) => id)).toEqual(["a", "b"]);
});

test("every order has all pictures, and equal ones stay in the order of their upload", () => {
  const items = [
    anItem({ id: "a", file_name: "10.png", width: 200, caption: "long caption", sharpness: 300 }),
    anItem({ id: "b", file_name: "9.png", width: 100, caption: "", sharpness: null }),
    anItem({ id: "c", file_name: "9.png", width: 200, caption: "", sharpness: 100 }),
  ];
  const order = (sort: (typeof SORTS)[number]["value"]) =>
    sorted(items, sort)
      .map(({ id }) => id)
      .join("");
  expect(Object.fromEntries(SORTS.map(({ value }) => [value, order(value)]))).toEqual({
    added: "abc",
    newest: "cba",
    name: "bca",
    smallest: "bac",
    largest: "acb",
    blurred: "cab",
    sharpest: "acb",
    shortest: "bca",
    longest: "abc",
  });
});
