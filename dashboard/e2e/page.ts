// What a person does with a page, and sees on it.
import type { Locator, Page } from "@playwright/test";

/** A real drag of files from outside the browser. */
export async function drop(page: Page, target: Locator, files: string[]): Promise<void> {
  const box = await target.boundingBox();
  if (!box) throw new Error("the drop target is not visible");
  const session = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, ...at, data });
  }
}

/** What a chart shows, as one string. */
export function curve(chart: Locator): Promise<string> {
  return chart.locator("canvas").evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

/** Mean absolute difference of two pictures, in steps of 1/255. They are fetched past the page: a canvas does not
 * give back what it was drawn from another host. */
export async function difference(page: Page, a: string, b: string): Promise<number> {
  const files = await Promise.all(
    [a, b].map(async (url) => {
      const answer = await page.request.get(url);
      if (!answer.ok()) throw new Error(`a picture answered ${answer.status()}`);
      return (await answer.body()).toString("base64");
    }),
  );
  return page.evaluate(async (encoded) => {
    const pixels = async (base64: string) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
      if (!context) throw new Error("no canvas");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height).data;
    };
    const [x = new Uint8ClampedArray(), y = new Uint8ClampedArray()] = await Promise.all(encoded.map(pixels));
    if (x.length !== y.length) throw new Error("the pictures differ in size");
    // The fourth value of each pixel is its opacity, which is the same everywhere.
    const sum = x.reduce((total, value, i) => total + Math.abs(value - (y[i] ?? 0)), 0);
    return sum / ((x.length / 4) * 3);
  }, files);
}
