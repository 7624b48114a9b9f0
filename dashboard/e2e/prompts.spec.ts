// Prompts: tokens are counted while they are typed, and tags name LoRAs.
import { checkAccessibility } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf } from "./server";

test("tokens are counted in every prompt field, and nothing moves meanwhile", async ({
  app: page,
  server,
}) => {
  await page.goto(`${server.url}/playground`);
  const prompt = page.getByRole("textbox", { name: "Prompt", exact: true });
  const [first, second] = [0, 1].map((n) => page.getByTestId("token-count").nth(n));
  if (!first || !second) throw new Error("two counters");
  const button = page.getByRole("button", { name: "Generate" });
  const before = await button.boundingBox();
  await expect(first).toHaveText("0 / 75 tokens");
  await prompt.fill("zora, smiling");
  await expect(first).toHaveText("4 / 75 tokens");
  await prompt.fill("cat ".repeat(160));
  await expect(first).toHaveText("160 / 225 tokens in 3 chunks");
  await page.getByRole("textbox", { name: "Negative prompt" }).fill("hat, (beard");
  await expect(second).toHaveText("3 / 75 tokens");
  const warning = page.getByText("is never closed").first();
  await expect(warning).toBeVisible();
  expect(await button.boundingBox()).toEqual(before);
  await warning.click();
  await expect(page.getByRole("listitem").filter({ hasText: "is never closed" })).toBeVisible();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await checkAccessibility(page);
  }
  await page.getByLabel("Read brackets as letters").check();
  await expect(second).toHaveText("4 / 75 tokens");
  await expect(warning).toBeHidden();
  await page.getByRole("button", { name: "Start over" }).click();

  await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
  await page.getByLabel("Sample prompts").fill("zora\nzora, smiling");
  await expect(page.getByTestId("token-count")).toHaveText("4 / 75 tokens (longest line)");
});

test("a tag in a prompt applies the LoRA that it names", async ({ app: page, server }) => {
  test.setTimeout(180_000);
  await page.goto(`${server.url}/playground`);
  const prompt = page.getByRole("textbox", { name: "Prompt", exact: true });

  await prompt.fill("pixel art portrait <lora:Zorra:0.8>");
  await expect(page.getByText(/no model of that name; did you mean Zora/).first()).toBeVisible();
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "no model of that name" }).first()).toBeVisible();

  // A tag means the newest version; tests before this one may have made others.
  const { post, get } = apiOf(page.request, server);
  const [newest] = (await get(`/models/${server.seeded.model}`)).versions;
  await prompt.fill("pixel art portrait <lora:zora:0.8>");
  await expect(
    page.getByText(`<lora:zora:0.8> is Zora v${newest.version} at weight 0.8`).first(),
  ).toBeVisible();
  await page.getByLabel("Also show it without LoRAs").uncheck();
  const made = page.waitForResponse(
    (response) => response.request().method() === "POST" && response.url().endsWith("/api/v1/generations"),
  );
  await page.getByRole("button", { name: "Generate" }).click();
  const generation = await (await made).json();
  expect(generation.request).toMatchObject({
    prompt: "pixel art portrait",
    loras: [{ model_version_id: newest.id, weight: 0.8 }],
  });
  await expect(page.getByRole("main").getByRole("img", { name: "pixel art portrait" }).first()).toBeVisible({
    timeout: 90_000,
  });

  // The same without the tag is another picture.
  const plain = await post("/generations", { ...generation.request, loras: [] });
  const picture = async (id: string) => {
    await get(`/generations/${id}?wait_seconds=60`);
    return (await page.request.get(`${server.url}/api/v1/generations/${id}/download`)).body();
  };
  expect((await picture(generation.id)).equals(await picture(plain.id))).toBe(false);
  await page.getByRole("button", { name: "Start over" }).click();
});
