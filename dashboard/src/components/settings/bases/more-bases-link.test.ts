import { expect, test } from "vitest";
import type { BaseModel, RegisteredBase } from "~/api/types";
import { aRegisteredBase } from "~/testing";
import { describeMore } from "./more-bases-link";

const TINY: BaseModel = {
  name: "tiny-xl",
  class: "tiny",
  family: "tiny",
  family_reason: "it is small",
  native_resolution: 128,
  built_in: true,
};
const SDXL: BaseModel = { ...TINY, name: "sdxl", class: "sdxl", family: "sdxl", built_in: false };

const of = (name: string, state: RegisteredBase["state"]) => aRegisteredBase({ name, state });

test("without a base of one's own, a form leads to where they are added", () => {
  expect(describeMore([TINY], [])).toBe("Add a base model");
  expect(describeMore([TINY, SDXL], [of("sdxl", "ready")])).toBeNull();
});

test("what is being checked is named, and what failed where nothing else can be chosen", () => {
  expect(describeMore([TINY], [of("sdxl", "checking")])).toBe("Checking sdxl…");
  expect(describeMore([TINY, SDXL], [of("sdxl", "ready"), of("anime", "checking")])).toBe("Checking anime…");
  expect(describeMore([TINY], [of("a", "checking"), of("b", "checking")])).toBe("Checking 2 base models…");
  expect(describeMore([TINY], [of("sdxl", "failed")])).toBe("sdxl can't be used");
  expect(describeMore([TINY, SDXL], [of("sdxl", "ready"), of("anime", "failed")])).toBeNull();
});

test("one that can be used while it is checked again is offered, and not told of", () => {
  expect(describeMore([TINY, SDXL], [of("sdxl", "checking")])).toBeNull();
});
