// How a prompt is read, below its field: tokens, chunks, the LoRAs that it names, and warnings.
import { useQuery } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { ProblemError } from "~/api/problem";
import { promptCountsQuery } from "~/api/prompts";
import type { CountPrompts, PromptCount } from "~/api/types";
import { Said } from "~/components/ui/said";
import { formatSentence } from "~/lib/format";
import { useSettled } from "~/lib/use-settled";
import { inWords, longest, notes } from "./words";

/** Short enough to follow typing, long enough not to ask at every key. */
const SETTLE_MS = 250;

/** As many as the server counts at once. */
const MOST = 64;

interface Props {
  /** The prompts of the field: one, or one on each line. The first 64 are counted. */
  prompts: string[];
  /** Brackets and tags are letters. */
  literal?: boolean;
  /** LoRA tags have a meaning here. */
  takesLoras?: boolean;
  /** Captions are cut after so many tokens. */
  maxTokens?: number;
  /** LoRAs must be for it. */
  baseModel?: string;
}

export function PromptCounter({ prompts, literal = false, takesLoras = false, maxTokens, baseModel }: Props) {
  const asked: CountPrompts = {
    prompts: prompts.slice(0, MOST).map((prompt) => ({
      prompt,
      literal,
      takes_loras: takesLoras,
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    })),
    ...(baseModel && { base_model: baseModel }),
  };
  const isEmpty = prompts.every((prompt) => prompt.trim() === "");
  const settled = useSettled(isEmpty ? null : asked, SETTLE_MS);
  const { data, error } = useQuery(promptCountsQuery(settled));
  const counts: PromptCount[] = isEmpty ? [] : (data?.prompts ?? []);
  const found = isEmpty || !error ? notes(counts) : [{ text: problemOf(error), isWarning: true }];
  // One line of fixed height, so that nothing moves while somebody types.
  return (
    <div className="flex h-5 min-w-0 items-center gap-2 text-muted text-xs">
      <span className="shrink-0 whitespace-nowrap tabular-nums" data-testid="token-count">
        {inWords(longest(counts), counts.length)}
      </span>
      <div aria-live="polite" className="min-w-0 flex-1">
        {found.length > 0 && <Notes notes={found} />}
      </div>
    </div>
  );
}

/** Why nothing was counted: the text is too long, or the server is away. */
function problemOf(error: Error): string {
  const [first] = error instanceof ProblemError ? Object.values(error.fields) : [];
  return formatSentence(first ?? error.message);
}

/** The first note, and all of them on demand, above what follows. */
function Notes({ notes }: { notes: { text: string; isWarning: boolean }[] }) {
  const first = notes.find((note) => note.isWarning) ?? notes[0];
  return (
    <details className="group relative min-w-0">
      <summary className="flex min-w-0 cursor-pointer list-none items-center gap-1 rounded-sm">
        {first?.isWarning && <TriangleAlert aria-hidden className="size-3.5 shrink-0 text-warning" />}
        <span className={first?.isWarning ? "truncate text-warning" : "truncate"}>
          <Said>{first?.text ?? ""}</Said>
        </span>
        {notes.length > 1 && <span className="shrink-0 text-muted">+{notes.length - 1}</span>}
      </summary>
      <ul className="absolute right-0 z-10 mt-1 flex w-max max-w-full flex-col gap-1 rounded-md border bg-raised p-2 text-text shadow-md">
        {notes.map((note) => (
          <li key={note.text} className="wrap-anywhere">
            <Said>{note.text}</Said>
          </li>
        ))}
      </ul>
    </details>
  );
}
