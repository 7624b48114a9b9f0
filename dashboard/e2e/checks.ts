// What every page is checked for.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** No rule is off. */
export async function checkAccessibility(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`),
  );
  expect(found).toEqual([]);
}

/** Data and pictures are there, and nothing moves. */
export async function settled(page: Page): Promise<void> {
  await page.waitForLoadState("networkidle");
  await page.evaluate(async () => {
    await document.fonts.ready;
    await Promise.all(
      [...document.images].filter((image) => image.loading !== "lazy").map((image) => image.decode()),
    );
  });
}

const SIZES = [
  ["wide", 1360, 860],
  ["narrow", 390, 844],
] as const;

/** A page as it is, in both sizes: it is photographed, passes axe, does not scroll sideways, and ends with what it
 * shows. */
export async function checkLooks(page: Page, name: string): Promise<void> {
  for (const [size, width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    await settled(page);
    await page.screenshot({ path: `test-results/pages/${name}-${size}.png`, fullPage: true });
    await checkAccessibility(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow, `${name} is wider than the ${size} window`).toBeLessThanOrEqual(0);
    const blank = await page.evaluate(() => {
      const end = document.getElementById("root")?.getBoundingClientRect().bottom ?? 0;
      return document.documentElement.scrollHeight - (end + window.scrollY);
    });
    expect(blank, `${name} goes on below its end in the ${size} window`).toBeLessThanOrEqual(1);
  }
}
