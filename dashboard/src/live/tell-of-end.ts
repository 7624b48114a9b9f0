// Tells on every page that a job has ended, with its newest picture.
import type { QueryClient } from "@tanstack/react-query";
import { jobQuery, samplesQuery } from "~/api/queries";
import type { Job, Sample } from "~/api/types";
import { announceNews } from "~/components/ui/toast";
import { notify } from "~/lib/browser-notices";
import { formatSentence } from "~/lib/format";
import { markUnseen } from "~/lib/just-finished";
import { countEnd } from "~/lib/unseen-ends";

/** What a person reads of a job that has ended. */
export function sentenceOf(job: Job): { title: string; description?: string } {
  const { name } = job.recipe;
  const reason = job.reason ? { description: formatSentence(job.reason) } : {};
  switch (job.phase) {
    case "succeeded":
      return { title: `${name} succeeded`, description: "Its LoRA is among the models." };
    case "failed":
      return { title: `${name} failed`, ...reason };
    default:
      return { title: `${name} stopped`, ...reason };
  }
}

/** The picture that shows a job best: the newest one, of the first prompt. */
export function pictureOf(samples: Sample[]): string | undefined {
  const newest = Math.max(...samples.map(({ step }) => step));
  const ofNewest = samples.filter(({ step }) => step === newest);
  return ofNewest.toSorted((a, b) => a.prompt_index - b.prompt_index)[0]?.url;
}

/** Shows a message, counts in the title of the tab, and notifies by the browser if that is on. */
export async function tellOfEnd(queries: QueryClient, id: string, onOpen: () => void): Promise<void> {
  markUnseen(id);
  countEnd();
  // A job that cannot be read any more was deleted, or the session has ended.
  const job = await queries.fetchQuery({ ...jobQuery(id), staleTime: 0 }).catch(() => undefined);
  if (!job) return;
  const samples = await queries.fetchQuery({ ...samplesQuery(id), staleTime: 0 }).catch(() => []);
  const picture = pictureOf(samples);
  const { title, description } = sentenceOf(job);
  const text = { ...(description && { description }) };
  announceNews({ title, ...text, ...(picture && { picture }), onOpen });
  notify(
    title,
    { tag: id, ...(description && { body: description }), ...(picture && { icon: picture }) },
    onOpen,
  );
}
