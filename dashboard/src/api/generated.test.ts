// @vitest-environment node
// The generated files are what the server's OpenAPI document says.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generate } from "../../scripts/generate.mjs";

const document = new URL("../../../crates/server/openapi.json", import.meta.url);
const files = await generate(JSON.parse(await readFile(document, "utf8")));

test.each(Object.entries(files))("%s is up to date (else run `npm run generate`)", async (name, wanted) => {
  const found = await readFile(new URL(name, import.meta.url), "utf8");
  expect(found).toBe(wanted);
});
