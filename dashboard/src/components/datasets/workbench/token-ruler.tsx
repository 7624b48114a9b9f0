// A caption as the tokenizer reads it: where its 75th, 150th and 225th token end in the text.
import { useQuery } from "@tanstack/react-query";
import { promptCountsQuery } from "~/api/prompts";
import type { CountPrompts } from "~/api/types";
import { cn } from "~/lib/cn";
import { formatCount } from "~/lib/format";
import { useSettled } from "~/lib/use-settled";
import { piecesOf } from "./ruler";

/** Short enough to follow typing, long enough not to ask at every key. */
const SETTLE_MS = 250;

interface Props {
  text: string;
  /** Tokens that a training reads. */
  max_tokens: number;
}

export function TokenRuler({ text, max_tokens }: Props) {
  const isEmpty = text.trim() === "";
  const asked = useSettled<CountPrompts | null>(
    isEmpty ? null : { prompts: [{ prompt: text, literal: true, takes_loras: true }] },
    SETTLE_MS,
  );
  const { data, error, isPlaceholderData } = useQuery(promptCountsQuery(asked));
  const count = isEmpty ? undefined : data?.prompts[0];
  const n_tokens = count?.n_tokens ?? 0;
  // Borders of an older text would stand at the wrong letters.
  const isOld = isPlaceholderData || asked?.prompts[0]?.prompt !== text;
  const pieces = count && !isOld ? piecesOf(text, count.chunks, count.borders, max_tokens) : [];
  return (
    <section aria-label="Tokens of the caption" className="text-xs">
      <p role="status" className={cn("tabular-nums", n_tokens > max_tokens ? "text-warning" : "text-muted")}>
        {error && !isEmpty
          ? "The tokens could not be counted."
          : `${formatCount(n_tokens)} of ${max_tokens} tokens${
              n_tokens > max_tokens ? `: ${formatCount(n_tokens - max_tokens)} are not read` : ""
            }`}
      </p>
      {pieces.length > 1 && (
        <p className="wrap-anywhere mt-1.5 whitespace-pre-wrap rounded-md border bg-sunken p-2 leading-5">
          {pieces.map(({ text: part, n_tokens: to, isCut }, index) => (
            <span key={to}>
              <span className={cn(isCut && "text-muted line-through")}>{part}</span>
              {index < pieces.length - 1 && (
                <span className="mx-0.5 rounded-sm border border-accent bg-accent-soft px-1 font-medium text-accent-strong text-2xs">
                  <span className="sr-only">border after token </span>
                  {to}
                </span>
              )}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}
