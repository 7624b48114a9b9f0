import { expect, test } from "vitest";
import type { Verdict } from "~/api/types";
import { fileStamp, resultLines } from "./stamps";

const FILE = ["opens", "complete", "finite", "non_zero", "weight_zero"];

function verdict(failed: string[], change: Partial<Verdict> = {}): Verdict {
  const names = [...FILE, "picture_changes", "validation_loss"];
  const checks = names.map((name) => ({ name, passed: !failed.includes(name), detail: `about ${name}` }));
  const validation = {
    n_items: 3,
    timesteps: [500],
    before: [0.5],
    after: [failed.includes("validation_loss") ? 0.51 : 0.44],
  };
  return {
    passed: failed.length === 0,
    checks,
    module_norms: [],
    picture_change: 55.04,
    validation,
    ...change,
  };
}

const texts = (of: Verdict) => resultLines(of).map(({ good, text }) => [good, text]);

test("the checks of the file are one line, and none of them says that the result is good", () => {
  expect(fileStamp(verdict([])).text).toBe("File is healthy (5 checks)");
  expect(fileStamp(verdict(["picture_changes", "validation_loss"])).healthy).toBe(true);
  expect(fileStamp(verdict(["finite"]))).toMatchObject({
    healthy: false,
    text: "File is broken: about finite",
  });
});

test("the result is said in words, with what was measured", () => {
  expect(texts(verdict([]))).toEqual([
    [true, "Clearly changes the test picture (22 %)"],
    [true, "Closer than the base to the 3 pictures set aside (loss −12 %)"],
  ]);
  expect(texts(verdict(["picture_changes", "validation_loss"], { picture_change: 0.1 }))).toEqual([
    [false, "Barely changes the test picture (0.04 %): train longer"],
    [
      false,
      "No closer than the base to the 3 pictures set aside (loss +2 %): it may have learned its pictures by heart",
    ],
  ]);
  expect(texts(verdict([], { picture_change: 5 }))[0]).toEqual([true, "Changes the test picture (2 %)"]);
});

test("a file that was too broken to draw with has no result", () => {
  const broken = verdict(["finite"]);
  expect(resultLines({ ...broken, checks: broken.checks.slice(0, 3) })).toEqual([]);
});
