// Follows a numbered event stream over a WebSocket, and resumes it after a broken connection.

export type Connection = "connecting" | "open" | "waiting";

/** The used part of WebSocket, so that tests can replace the network. */
export interface Socket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  close(): void;
}

interface Options<E> {
  /** Path of the stream; a query says which events are wanted. */
  path: string;
  /** Number of the last known event; null for a stream without replay. */
  after: number | null;
  /** The event's number. */
  seq: (event: E) => number;
  onEvents: (events: E[]) => void;
  onConnection?: (state: Connection) => void;
  /** Called after a break in a stream without replay: missed data must be refetched. */
  onGap?: () => void;
  /** The session has ended; the stream is not reopened. */
  onSignedOut?: () => void;
  open?: (url: string) => Socket;
}

/** Close code of the server when the session has ended. */
const SIGNED_OUT = 4401;

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 15_000;

/** Starts following; returns a function that stops it. Events are delivered once, in order, at most once per frame. */
export function follow<E>(options: Options<E>): () => void {
  const {
    path,
    seq,
    onEvents,
    onConnection,
    onGap,
    onSignedOut,
    open = (url) => new WebSocket(url),
  } = options;
  let after = options.after;
  let delay = FIRST_DELAY_MS;
  let socket: Socket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let frame: ReturnType<typeof setTimeout> | undefined;
  let pending: E[] = [];
  let opened = 0;
  let ended = false;

  const deliver = () => {
    frame = undefined;
    const events = pending;
    pending = [];
    if (events.length > 0 && !ended) onEvents(events);
  };

  const connect = () => {
    timer = undefined;
    onConnection?.("connecting");
    const current = open(address(path, after));
    socket = current;
    current.onopen = () => {
      delay = FIRST_DELAY_MS;
      opened += 1;
      onConnection?.("open");
      if (opened > 1 && after === null) onGap?.();
    };
    current.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as E;
      if (after !== null) {
        if (seq(event) <= after) return;
        after = seq(event);
      }
      pending.push(event);
      frame ??= setTimeout(deliver, 16);
    };
    current.onclose = (event) => {
      if (ended || socket !== current) return;
      if (event.code === SIGNED_OUT) {
        ended = true;
        onSignedOut?.();
        return;
      }
      onConnection?.("waiting");
      timer = setTimeout(connect, delay);
      delay = Math.min(delay * 2, LAST_DELAY_MS);
    };
  };

  const reconnectNow = () => {
    if (timer === undefined || ended) return;
    clearTimeout(timer);
    connect();
  };

  connect();
  window.addEventListener("online", reconnectNow);
  return () => {
    ended = true;
    clearTimeout(timer);
    clearTimeout(frame);
    window.removeEventListener("online", reconnectNow);
    socket?.close();
  };
}

function address(path: string, after: number | null): string {
  const url = new URL(path, window.location.href);
  if (after !== null) url.searchParams.set("after", String(after));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
