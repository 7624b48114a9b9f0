import { expect, test } from "vitest";
import type { Generation, Label } from "~/api/types";
import { readGalleryView, shownPictures, versionsIn } from "./view";

const NOW = Date.parse("2026-03-10T12:00:00Z");

const picture = (
  id: string,
  prompt: string,
  loras: [string, number][],
  created_at = "2026-03-10T10:00:00Z",
) =>
  ({
    id,
    phase: "succeeded",
    image_url: `/${id}.png`,
    request: {
      prompt,
      negative_prompt: "",
      seed: "42",
      loras: loras.map(([model_version_id, weight]) => ({ model_version_id, weight })),
    },
    created_at,
  }) as unknown as Generation;

const all = [
  picture("a", "zora in the rain", [["v1", 1]]),
  picture("b", "zora in the rain", [["v1", 0]]),
  picture("c", "a hat", [["v2", 0.5]], "2026-03-01T10:00:00Z"),
  { ...picture("d", "a hat", []), image_url: null },
];
const labels = new Map([["c", { starred: true, tags: ["cover"], note: "for Max" } as Label]]);
const shown = (view: Parameters<typeof shownPictures>[2]) =>
  shownPictures(all, labels, view, NOW).map(({ id }) => id);

test("the history is narrowed by prompt, LoRA, age, stars and tags", () => {
  expect(shown({})).toEqual(["a", "c"]);
  expect(shown({ baselines: true })).toEqual(["a", "b", "c"]);
  expect(shown({ q: "RAIN" })).toEqual(["a"]);
  expect(shown({ q: "max" })).toEqual(["c"]);
  expect(shown({ with: "v2" })).toEqual(["c"]);
  expect(shown({ with: "v1", baselines: true })).toEqual(["a"]);
  expect(shown({ since: "week" })).toEqual(["a"]);
  expect(shown({ starred: true, tag: "cover" })).toEqual(["c"]);
});

test("what is no view is left out, and the LoRAs of pictures are those that did something", () => {
  expect(readGalleryView({ q: "", since: "year", baselines: "yes", with: 3 })).toEqual({});
  expect(readGalleryView({ since: "week", baselines: true, starred: true })).toEqual({
    since: "week",
    baselines: true,
    starred: true,
  });
  expect(versionsIn([...all, ...all.slice(0, 1)])).toEqual(["v1", "v2"]);
});
