// Following a stream over connections that break.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Connection, follow, type Socket } from "./socket";

interface Event {
  seq: number;
}

class FakeSocket implements Socket {
  static all: FakeSocket[] = [];
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  close() {
    this.closed = true;
  }

  open() {
    this.onopen?.(new Event("open"));
  }

  send(...numbers: number[]) {
    for (const seq of numbers)
      this.onmessage?.(new MessageEvent("message", { data: JSON.stringify({ seq }) }));
  }

  drop(code = 1006) {
    this.onclose?.(new CloseEvent("close", { code }));
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }
}

const stops: (() => void)[] = [];

function start(
  after: number | null,
  more: { path?: string; onGap?: () => void; onSignedOut?: () => void } = {},
) {
  const batches: number[][] = [];
  const states: Connection[] = [];
  const stop = follow<Event>({
    path: "/api/v1/jobs/1/events",
    after,
    seq: (event) => event.seq,
    onEvents: (events) => batches.push(events.map((event) => event.seq)),
    onConnection: (state) => states.push(state),
    open: (url) => new FakeSocket(url),
    ...more,
  });
  stops.push(stop);
  return { batches, states, stop };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

describe("a stream that replays", () => {
  test("asks for what comes after the last known event", () => {
    start(7);
    expect(FakeSocket.last.url).toMatch(/^wss?:\/\/.*\/api\/v1\/jobs\/1\/events\?after=7$/);
  });

  test("keeps the path's query", () => {
    start(7, { path: "/api/v1/jobs/1/events?without=step" });
    expect(new URL(FakeSocket.last.url).search).toBe("?without=step&after=7");
  });

  test("hands events over in batches, once each", () => {
    const { batches } = start(0);
    FakeSocket.last.open();
    FakeSocket.last.send(1, 2, 2, 1, 3);
    vi.advanceTimersByTime(20);
    FakeSocket.last.send(4);
    vi.advanceTimersByTime(20);
    expect(batches).toEqual([[1, 2, 3], [4]]);
  });

  test("goes on where it was when the connection breaks", () => {
    const { batches, states } = start(0);
    FakeSocket.last.open();
    FakeSocket.last.send(1, 2);
    FakeSocket.last.drop();
    vi.advanceTimersByTime(500);
    expect(FakeSocket.last.url).toContain("?after=2");
    FakeSocket.last.open();
    FakeSocket.last.send(3);
    vi.advanceTimersByTime(20);
    expect(batches.flat()).toEqual([1, 2, 3]);
    expect(states).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
  });

  test("waits twice as long after each failure, at most 15 seconds, and anew after a success", () => {
    start(0);
    const waits: number[] = [];
    for (let n = 0; n < 7; n++) {
      const before = FakeSocket.all.length;
      FakeSocket.last.drop();
      let waited = 0;
      while (FakeSocket.all.length === before) {
        vi.advanceTimersByTime(100);
        waited += 100;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    FakeSocket.last.open();
    FakeSocket.last.drop();
    const before = FakeSocket.all.length;
    vi.advanceTimersByTime(500);
    expect(FakeSocket.all.length).toBe(before + 1);
  });

  test("tries at once when the browser is online again", () => {
    start(0);
    FakeSocket.last.drop();
    window.dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.last.open();
    window.dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
  });

  test("ends for good when it is told to", () => {
    const { batches, stop } = start(0);
    FakeSocket.last.open();
    FakeSocket.last.send(1);
    stop();
    FakeSocket.last.drop();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.last.closed).toBe(true);
    expect(FakeSocket.all).toHaveLength(1);
    expect(batches).toEqual([]);
  });
});

test("a stream without replay tells of the gap after a break, not at the start", () => {
  const onGap = vi.fn();
  start(null, { onGap });
  expect(FakeSocket.last.url).toMatch(/events$/);
  FakeSocket.last.open();
  expect(onGap).not.toHaveBeenCalled();
  FakeSocket.last.drop();
  vi.advanceTimersByTime(500);
  FakeSocket.last.open();
  expect(onGap).toHaveBeenCalledOnce();
});

test("a session that has ended is told of, and not tried again", () => {
  const onSignedOut = vi.fn();
  const { states } = start(null, { onSignedOut });
  FakeSocket.last.open();
  FakeSocket.last.drop(4401);
  vi.advanceTimersByTime(60_000);
  expect(onSignedOut).toHaveBeenCalledOnce();
  expect(FakeSocket.all).toHaveLength(1);
  expect(states).toEqual(["connecting", "open"]);
});
