// A picture is seen while it comes into being, with the native engine.
import { checkAccessibility } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf } from "./server";

test("the picture is seen coming into being", async ({ app: page, server }) => {
  test.setTimeout(180_000);
  const { post } = apiOf(page.request, server);
  const made = await post("/generations", {
    base_model: "tiny-xl",
    prompt: "pixel art portrait of zora",
    n_steps: 120,
    width: 256,
    height: 192,
    seed: 7,
  });
  await page.goto(`${server.url}/playground?show=${encodeURIComponent(JSON.stringify([made.id]))}`);
  const figure = page.getByRole("figure", { name: "Picture" });
  const preview = figure.locator("img[src^='data:image/png;base64,']");
  await expect(preview).toBeVisible({ timeout: 90_000 });
  // A pixel for each of its latents.
  const size = await preview.evaluate((img: HTMLImageElement) => [img.naturalWidth, img.naturalHeight]);
  expect(size).toEqual([32, 24]);
  await expect(figure.getByRole("status")).toHaveText("Rendering…");
  await expect(figure.getByText(/^Step \d+ of 120$/)).toBeVisible();
  await checkAccessibility(page);

  await expect(figure.getByRole("img", { name: "pixel art portrait of zora" })).toBeVisible({
    timeout: 90_000,
  });
  await expect(preview).toHaveCount(0);
  await expect(figure.getByRole("status")).toHaveCount(0);
});

test("what a picture waits for is said, and what its agent notes", async ({ app: page, server }) => {
  const id = "0199a5c2-0000-7000-8000-000000000001";
  const generation = {
    id,
    phase: "running",
    request: { base_model: "tiny-xl", prompt: "zora", n_steps: 25, guidance: 5, seed: 7 },
    created_at: new Date().toISOString(),
    stage: "waiting for the training on this machine's GPU to end, which goes first",
    notes: [] as string[],
  };
  await page.route(`**/api/v1/generations/${id}?*`, (route) => route.fulfill({ json: generation }));
  await page.goto(`${server.url}/playground?show=${encodeURIComponent(JSON.stringify([id]))}`);
  const figure = page.getByRole("figure", { name: "Picture" });
  await expect(figure.getByRole("status")).toHaveText(
    "Waiting for the training on this machine's GPU to end, which goes first…",
  );
  generation.notes.push("cuda's memory was too small; going on with attention in slices");
  await expect(figure.getByRole("list", { name: "Notes" }).getByRole("listitem")).toHaveText([
    "Cuda's memory was too small; going on with attention in slices.",
  ]);
  await checkAccessibility(page);
});
