// Uploads, which continue while other pages are shown. One at a time per dataset; files dropped in the meantime
// wait, and failed uploads can be retried.
import { useSyncExternalStore } from "react";
import type { UploadReport } from "~/api/types";
import type { upload } from "~/api/upload";

export interface Batch {
  n_files: number;
  bytes: number;
  /** From 0 to 1. */
  share: number;
}

/** How the uploads to a dataset are. */
export interface Uploads {
  running: Batch | null;
  /** Number of waiting files. */
  n_waiting: number;
  /** The failed upload, with the reason. */
  broken: { n_files: number; error: unknown } | null;
  /** Result of the last upload. */
  report: UploadReport | null;
}

export const NONE: Uploads = { running: null, n_waiting: 0, broken: null, report: null };

interface Queue {
  shown: Uploads;
  waiting: File[];
  broken: File[];
  abort: AbortController | null;
}

export class Uploader {
  readonly #send: typeof upload;
  readonly #onEnd: (dataset: string, report: UploadReport | null) => void;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Set<() => void>();

  constructor(send: typeof upload, onEnd: (dataset: string, report: UploadReport | null) => void) {
    this.#send = send;
    this.#onEnd = onEnd;
  }

  /** Warns before leaving the site while uploads are running or have failed; returns a function that stops it. */
  start(): () => void {
    const onLeave = (event: BeforeUnloadEvent) => {
      const queues = [...this.#queues.values()];
      if (queues.some(({ shown }) => shown.running || shown.broken)) event.preventDefault();
    };
    window.addEventListener("beforeunload", onLeave);
    return () => window.removeEventListener("beforeunload", onLeave);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  of(dataset: string): Uploads {
    return this.#queues.get(dataset)?.shown ?? NONE;
  }

  add(dataset: string, files: File[]): void {
    if (files.length === 0) return;
    const queue = this.#queue(dataset);
    queue.waiting.push(...files);
    if (queue.abort) this.#show(queue, { n_waiting: queue.waiting.length });
    else void this.#run(dataset, queue);
  }

  /** Retries a failed upload: the server skips files that it already has. */
  retry(dataset: string): void {
    const queue = this.#queue(dataset);
    const files = queue.broken.splice(0);
    this.#show(queue, { broken: null });
    this.add(dataset, files);
  }

  /** Cancels the running upload and discards waiting files. */
  cancel(dataset: string): void {
    const queue = this.#queue(dataset);
    queue.waiting = [];
    queue.abort?.abort();
  }

  /** Removes the report or the failed upload from the page. */
  dismiss(dataset: string): void {
    const queue = this.#queue(dataset);
    queue.broken = [];
    this.#show(queue, { report: null, broken: null });
  }

  async #run(dataset: string, queue: Queue): Promise<void> {
    const files = queue.waiting.splice(0);
    const abort = new AbortController();
    queue.abort = abort;
    const batch = { n_files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
    const onProgress = (share: number) => this.#show(queue, { running: { ...batch, share } });
    this.#show(queue, { running: { ...batch, share: 0 }, n_waiting: 0, report: null });
    let report: UploadReport | null = null;
    try {
      report = await this.#send({ dataset, files, onProgress, signal: abort.signal });
      this.#show(queue, { report });
    } catch (error) {
      if (!abort.signal.aborted) {
        queue.broken.push(...files);
        this.#show(queue, { broken: { n_files: queue.broken.length, error } });
      }
    }
    queue.abort = null;
    this.#show(queue, { running: null });
    this.#onEnd(dataset, report);
    if (queue.waiting.length > 0 && !queue.abort) await this.#run(dataset, queue);
  }

  #queue(dataset: string): Queue {
    const known = this.#queues.get(dataset);
    if (known) return known;
    const queue: Queue = { shown: NONE, waiting: [], broken: [], abort: null };
    this.#queues.set(dataset, queue);
    return queue;
  }

  #show(queue: Queue, change: Partial<Uploads>): void {
    queue.shown = { ...queue.shown, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** How the uploads to a dataset are, as they change. */
export function useUploads(uploader: Uploader, dataset: string): Uploads {
  return useSyncExternalStore(uploader.subscribe, () => uploader.of(dataset));
}
