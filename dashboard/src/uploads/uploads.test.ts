import { expect, test, vi } from "vitest";
import type { UploadReport } from "~/api/types";
import { NONE, Uploader } from "./uploads";

const REPORT = { accepted: [], refused: [] } as unknown as UploadReport;
const files = (...names: string[]) => names.map((name) => new File(["x"], name));

/** An uploader whose uploads end when the test says so. */
function setup() {
  const sent: { names: string[]; end: () => void; fail: () => void }[] = [];
  const onEnd = vi.fn();
  const uploader = new Uploader(
    ({ files, signal }) =>
      new Promise((resolve, reject) => {
        const names = files.map(({ name }) => name);
        sent.push({ names, end: () => resolve(REPORT), fail: () => reject(new TypeError("network error")) });
        signal?.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
      }),
    onEnd,
  );
  return { uploader, sent, onEnd, at: (n: number) => sent[n] ?? expect.fail(`no upload ${n}`) };
}

const soon = () => new Promise((done) => setTimeout(done));

test("what is dropped during an upload is sent after it", async () => {
  const { uploader, sent, at, onEnd } = setup();
  uploader.add("d", files("a.png"));
  uploader.add("d", files("b.png", "c.png"));
  expect(uploader.of("d")).toMatchObject({ running: { n_files: 1 }, n_waiting: 2 });
  at(0).end();
  await soon();
  expect(sent.map(({ names }) => names)).toEqual([["a.png"], ["b.png", "c.png"]]);
  at(1).end();
  await soon();
  expect(uploader.of("d")).toEqual({ ...NONE, report: REPORT });
  expect(onEnd).toHaveBeenCalledTimes(2);
});

test("an upload that broke off can be tried again", async () => {
  const { uploader, sent, at } = setup();
  uploader.add("d", files("a.png", "b.png"));
  at(0).fail();
  await soon();
  expect(uploader.of("d")).toMatchObject({ running: null, broken: { n_files: 2 } });
  uploader.retry("d");
  expect(sent[1]?.names).toEqual(["a.png", "b.png"]);
  at(1).end();
  await soon();
  expect(uploader.of("d")).toMatchObject({ broken: null, report: REPORT });
});

test("leaving is warned of while files are on their way", async () => {
  const { uploader, at } = setup();
  const stop = uploader.start();
  const leaves = () => window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
  expect(leaves()).toBe(true);
  uploader.add("d", files("a.png"));
  expect(leaves()).toBe(false);
  at(0).end();
  await soon();
  expect(leaves()).toBe(true);
  stop();
});

test("cancelling ends all of it, and is no failure", async () => {
  const { uploader, sent } = setup();
  uploader.add("d", files("a.png"));
  uploader.add("d", files("b.png"));
  uploader.cancel("d");
  await soon();
  expect(uploader.of("d")).toMatchObject({ running: null, broken: null, report: null });
  expect(sent).toHaveLength(1);
});
