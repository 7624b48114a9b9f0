import { expect, test } from "vitest";
import type { ModelVersion } from "~/api/types";
import { currentOf } from "./current";

const versions = [{ id: "b" }, { id: "a" }] as ModelVersion[];

test("the version that the server names is current, and the newest where it names none", () => {
  expect(currentOf({ versions, current_version_id: "a" })?.id).toBe("a");
  expect(currentOf({ versions, current_version_id: null })?.id).toBe("b");
  expect(currentOf({ versions: [] })).toBeUndefined();
});
