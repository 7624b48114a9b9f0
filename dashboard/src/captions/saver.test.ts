import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProblemError } from "~/api/problem";
import { draftsOf } from "~/lib/drafts";
import { withoutStorage } from "~/testing";
import { CaptionSaver } from "./saver";

const PLACE = { dataset: "d", item: "i" };

/** A server that holds one caption. */
class Server {
  caption = "old";
  isReachable = true;
  n_requests = 0;
  send = async (_place: unknown, caption: string, expected: string) => {
    this.n_requests += 1;
    if (!this.isReachable) throw new TypeError("network error");
    if (caption.length > 20) throw refusal(400);
    if (![expected, caption].includes(this.caption)) throw refusal(412, this.caption);
    this.caption = caption;
  };
}

function refusal(status: number, current?: string): ProblemError {
  return new ProblemError({ type: "x", title: "refused", status, ...(current !== undefined && { current }) });
}

let server: Server;
const onSignedOut = vi.fn();
let stop: (() => void)[] = [];

function open(): CaptionSaver {
  const saver = new CaptionSaver({ send: server.send, onSaved: () => {}, onSignedOut });
  stop.push(saver.start());
  return saver;
}

const kind = (saver: CaptionSaver) => saver.get("i")?.state.kind;
const soon = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
  server = new Server();
});

afterEach(() => {
  for (const end of stop) end();
  stop = [];
  vi.useRealTimers();
});

test("a caption is sent when its field is left, and says how far it is", async () => {
  const saver = open();
  saver.type(PLACE, "new ", "old");
  expect([kind(saver), server.n_requests]).toEqual(["typing", 0]);
  saver.leave(PLACE);
  expect(kind(saver)).toBe("saving");
  await soon();
  expect([kind(saver), server.caption, draftsOf("")]).toEqual(["saved", "new", []]);
});

test("what is as it was is not sent", () => {
  const saver = open();
  saver.type(PLACE, "old ", "old");
  saver.leave(PLACE);
  expect([saver.get("i"), server.n_requests, draftsOf("")]).toEqual([undefined, 0, []]);
});

test("a lost server is asked again, ever more slowly, until it has the caption", async () => {
  const saver = open();
  server.isReachable = false;
  saver.type(PLACE, "new", "old");
  saver.leave(PLACE);
  await soon();
  expect([kind(saver), draftsOf("")]).toEqual(["waiting", ["caption:d:i"]]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.n_requests).toBeGreaterThan(4);
  expect(server.n_requests).toBeLessThan(9);
  server.isReachable = true;
  await vi.advanceTimersByTimeAsync(30_000);
  expect([kind(saver), server.caption, draftsOf("")]).toEqual(["saved", "new", []]);
});

test("a browser that is online again does not wait", async () => {
  const saver = open();
  server.isReachable = false;
  saver.type(PLACE, "new", "old");
  saver.leave(PLACE);
  await vi.advanceTimersByTimeAsync(40_000);
  server.isReachable = true;
  window.dispatchEvent(new Event("online"));
  await soon();
  expect(kind(saver)).toBe("saved");
});

test("a reload loses neither what waits nor what was being typed", async () => {
  const first = open();
  server.isReachable = false;
  first.type(PLACE, "new", "old");
  first.leave(PLACE);
  await soon();
  first.type({ dataset: "d", item: "j" }, "half a", "");
  stop.pop()?.();
  server.isReachable = true;
  const second = open();
  expect(second.get("j")?.text).toBe("half a");
  await soon();
  expect([kind(second), server.caption]).toEqual(["saved", "new"]);
  server.caption = "";
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.caption).toBe("half a");
});

test("what somebody else wrote meanwhile is shown, and one of both is chosen", async () => {
  const saver = open();
  server.caption = "theirs";
  saver.type(PLACE, "mine", "old");
  saver.leave(PLACE);
  await soon();
  expect(saver.get("i")?.state).toEqual({ kind: "conflict", current: "theirs" });
  expect([saver.get("i")?.text, server.caption]).toEqual(["mine", "theirs"]);
  saver.keepMine(PLACE);
  await soon();
  expect([kind(saver), server.caption]).toEqual(["saved", "mine"]);

  server.caption = "theirs again";
  saver.type(PLACE, "mine again", "mine");
  saver.leave(PLACE);
  await soon();
  saver.takeTheirs(PLACE);
  expect([saver.get("i"), server.caption, draftsOf("")]).toEqual([undefined, "theirs again", []]);
});

test("what is typed while the last text is sent is sent after it", async () => {
  const saver = open();
  saver.type(PLACE, "one", "old");
  saver.leave(PLACE);
  saver.type(PLACE, "one two", "old");
  await soon();
  expect([kind(saver), server.caption]).toEqual(["typing", "one"]);
  saver.leave(PLACE);
  await soon();
  expect([kind(saver), server.caption]).toEqual(["saved", "one two"]);
});

test("a text that is left while the last one is sent follows it", async () => {
  const saver = open();
  saver.type(PLACE, "one", "old");
  saver.leave(PLACE);
  saver.type(PLACE, "two", "old");
  saver.leave(PLACE);
  await soon();
  expect([kind(saver), server.caption]).toEqual(["saved", "two"]);
});

test("a change that is taken back can be had again", async () => {
  const saver = open();
  saver.type(PLACE, "new", "old");
  saver.revert(PLACE);
  expect([saver.get("i")?.text, draftsOf("")]).toEqual(["old", []]);
  saver.restore(PLACE);
  await soon();
  expect(server.caption).toBe("new");
});

test("what is refused stays, with the reason", async () => {
  const saver = open();
  saver.type(PLACE, "x".repeat(30), "old");
  saver.leave(PLACE);
  await soon();
  expect(saver.get("i")?.state).toEqual({ kind: "refused", reason: "refused" });
  expect(draftsOf("")).toEqual(["caption:d:i"]);
});

test("a session that has ended is told, and asked no more", async () => {
  server.send = async () => {
    server.n_requests += 1;
    throw refusal(401);
  };
  const saver = open();
  saver.type(PLACE, "new", "old");
  saver.leave(PLACE);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([kind(saver), server.n_requests]).toEqual(["waiting", 1]);
  expect(onSignedOut).toHaveBeenCalledOnce();
});

test("leaving is warned of only where the browser could not keep the text", () => {
  const leaves = () => window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
  const saver = open();
  saver.type(PLACE, "new", "old");
  expect(leaves()).toBe(true);
  withoutStorage();
  saver.type(PLACE, "newer", "old");
  expect(leaves()).toBe(false);
});

test("a caption that another tab has saved is no longer unsaved here", async () => {
  const [here, there] = [open(), open()];
  server.isReachable = false;
  here.type(PLACE, "new", "old");
  here.leave(PLACE);
  await soon();
  const key = "morpheus.draft.caption:d:i";
  const oldValue = localStorage.getItem(key);
  there.discard(PLACE);
  window.dispatchEvent(Object.assign(new Event("storage"), { key, oldValue, newValue: null }));
  expect(here.get("i")).toBeUndefined();
});

test("two tabs that type under the same picture lose neither text", async () => {
  const here = open();
  here.type(PLACE, "here", "old");
  const key = "morpheus.draft.caption:d:i";
  const newValue = JSON.stringify({ at: 1, value: { text: "there", base: "old", isLeft: false } });
  window.dispatchEvent(Object.assign(new Event("storage"), { key, oldValue: null, newValue }));
  localStorage.setItem(key, newValue);
  await soon();
  expect(server.caption).toBe("here");
  // What the other tab keeps is not this one's to drop.
  expect(localStorage.getItem(key)).toBe(newValue);
});
