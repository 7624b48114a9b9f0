// Seeds to their last digit, and pictures that carry how they were made.
import { readFile, writeFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { checkAccessibility } from "./checks";
import { expect, test } from "./fixtures";
import { drop } from "./page";
import { apiOf, type Server } from "./server";

const LARGEST = "18446744073709551615";

async function open(page: Page, server: Server, search = ""): Promise<void> {
  await page.goto(`${server.url}/playground${search}`);
  await expect(page.getByRole("heading", { level: 1, name: "Playground" })).toBeVisible();
}

const seedOf = (page: Page) => page.getByRole("textbox", { name: "Seed" });

/** Renders, and answers the generation as the server has it. */
async function generate(page: Page, server: Server) {
  await page.getByRole("button", { name: "Generate" }).click();
  const picture = page.getByRole("figure", { name: "Picture" }).getByRole("img");
  await expect(page).toHaveURL(/show=/);
  await expect(picture).toBeVisible({ timeout: 60_000 });
  const [id] = JSON.parse(new URL(page.url()).searchParams.get("show") ?? "[]") as string[];
  return apiOf(page.request, server).get(`/generations/${id}`);
}

test("a seed keeps every digit, -1 draws a random one, and what is none is said in the field", async ({
  app: page,
  server,
}) => {
  test.setTimeout(180_000);
  await open(page, server);
  await page.getByLabel("Prompt", { exact: true }).fill("pixel art portrait of zora");
  const seed = seedOf(page);

  await test.step("2^64 - 1", async () => {
    await seed.fill(LARGEST);
    const generation = await generate(page, server);
    expect(generation.request.seed).toBe(LARGEST);
    await expect(seed).toHaveValue(LARGEST);
    const file = await page.request.get(`${server.url}/api/v1/generations/${generation.id}/download`);
    expect((await file.body()).includes(`Seed: ${LARGEST}, Size: 128x128`)).toBe(true);
    // It comes back from the server with every digit.
    await seed.fill("5");
    await page.getByRole("button", { name: "Use these settings" }).click();
    await expect(seed).toHaveValue(LARGEST);
    await page.reload();
    await expect(seed).toHaveValue(LARGEST);
  });

  await test.step("-1", async () => {
    await seed.fill("-1");
    await expect(seed).not.toHaveAttribute("aria-invalid");
    await open(page, server);
    await expect(seed).toHaveValue("-1");
    const generation = await generate(page, server);
    expect(String(generation.request.seed)).toMatch(/^\d+$/);
    await expect(seed).toHaveValue(String(generation.request.seed));
  });

  await test.step("what is no seed", async () => {
    const requests: string[] = [];
    page.on("request", (request) => request.method() === "POST" && requests.push(request.url()));
    for (const wrong of ["7.5", "", "abc", "18446744073709551616"]) {
      await seed.fill(wrong);
      await page.getByRole("button", { name: "Generate" }).click();
      await expect(seed).toHaveAttribute("aria-invalid", "true");
      await expect(page.getByRole("alert")).toHaveText(
        "Enter a whole number from 0 to 18446744073709551615, or -1 for a random seed.",
      );
    }
    await checkAccessibility(page);
    expect(requests).toEqual([]);
  });
});

test("a dropped picture restores its settings, and another says why it cannot", async ({
  app: page,
  server,
}) => {
  test.setTimeout(120_000);
  const { post, api, get } = apiOf(page.request, server);
  const made = await post("/generations", {
    base_model: "tiny-xl",
    prompt: "zora, ゾラ",
    negative_prompt: "blurry",
    n_steps: 7,
    guidance: 7.5,
    sampler: "euler_a",
    width: 96,
    height: 160,
    seed: LARGEST,
    loras: [{ model_version_id: server.seeded.version, weight: 0.35 }],
  });
  const generation = await get(`/generations/${made.id}?wait_seconds=60`);
  expect(generation.phase).toBe("succeeded");
  const file = test.info().outputPath("zora.png");
  const bytes = await (await page.request.get(`${api}/generations/${made.id}/download`)).body();
  await writeFile(file, bytes);

  await open(page, server);
  const posts: string[] = [];
  page.on("request", (request) => request.method() !== "GET" && posts.push(request.url()));
  const heading = page.getByRole("heading", { level: 1, name: "Playground" });
  await drop(page, heading, [file]);
  const told = page.getByRole("main").getByRole("status");
  await expect(told).toContainText("Settings restored from zora.png.");
  await expect(page.getByRole("list", { name: "Not restored" })).toHaveCount(0);
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("zora, ゾラ");
  await expect(page.getByLabel("Negative prompt")).toHaveValue("blurry");
  await expect(seedOf(page)).toHaveValue(LARGEST);
  const slider = (name: string) => page.getByRole("slider", { name, exact: true });
  await expect(slider("Steps")).toHaveAttribute("aria-valuenow", "7");
  await expect(slider("Guidance")).toHaveAttribute("aria-valuenow", "7.5");
  await expect(slider("Weight of Zora v1")).toHaveAttribute("aria-valuenow", "0.35");
  await expect(page.getByRole("combobox", { name: "Sampler" })).toContainText("Euler");
  await expect(page.getByRole("combobox", { name: "Size" })).toContainText("96×160");
  await checkAccessibility(page);

  await test.step("drawn again, it is the same picture", async () => {
    await page.getByRole("checkbox", { name: /Also show it without LoRAs/ }).uncheck();
    const again = await generate(page, server);
    expect(again.request).toEqual(generation.request);
    const repeated = await page.request.get(`${api}/generations/${again.id}/download`);
    expect((await repeated.body()).equals(bytes)).toBe(true);
  });

  await test.step("A1111's settings, as far as they are known here", async () => {
    await page
      .getByLabel("Picture with settings")
      .setInputFiles({ name: "foreign.png", mimeType: "image/png", buffer: foreign() });
    const missing = page.getByRole("list", { name: "Not restored" }).getByRole("listitem");
    await expect(missing).toHaveText([
      "LoRA gone is not in the library.",
      "Clip skip: 2: there is no such setting here.",
    ]);
    await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a fox");
    await expect(seedOf(page)).toHaveValue("9007199254740993");
  });

  await test.step("a file without settings changes nothing", async () => {
    await page
      .getByLabel("Picture with settings")
      .setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") });
    await expect(page.getByRole("alert")).toContainText(
      "No settings restored from notes.txt. It is not a PNG file.",
    );
    await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a fox");
  });

  // Prompts are counted; the picture stays in the browser.
  const others = posts.filter((url) => !["/generations", "/prompts/count"].some((end) => url.endsWith(end)));
  expect(others).toEqual([]);
  await expect(page).toHaveURL(/\/playground/);
  expect((await readFile(file)).equals(bytes)).toBe(true);
});

/** A PNG file with nothing but A1111's settings in it. */
function foreign(): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(name), data, Buffer.alloc(4)]);
  };
  const settings =
    "a fox <lora:gone:1>\nSteps: 9, Sampler: Euler, CFG scale: 7, Seed: 9007199254740993, Size: 128x128, " +
    "Model: tiny-xl, Clip skip: 2, Version: v1.10.1";
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0])),
    chunk("tEXt", Buffer.from(`parameters\0${settings}`, "latin1")),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
