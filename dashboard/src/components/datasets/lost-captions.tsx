// Captions typed for pictures that were deleted: to copy or to discard.
import { Trash2 } from "lucide-react";
import type { Item } from "~/api/types";
import { useCaptions, useTypedCaptions } from "~/captions/captions";
import { isUnsaved } from "~/captions/saver";
import { Button } from "~/components/ui/button";

interface Props {
  dataset: string;
  items: Item[];
}

export function LostCaptions({ dataset, items }: Props) {
  const captions = useCaptions();
  const lost = useTypedCaptions().filter(
    (entry) => entry.dataset === dataset && isUnsaved(entry) && !items.some(({ id }) => id === entry.item),
  );
  if (lost.length === 0) return null;
  return (
    <section
      aria-label="Captions of deleted pictures"
      className="my-3 rounded-lg border border-warning bg-warning-soft p-3"
    >
      <p className="font-medium">
        These captions were not saved: their pictures are no longer in this dataset.
      </p>
      <ul className="mt-2 flex flex-col gap-1.5">
        {lost.map((entry) => (
          <li key={entry.item} className="flex items-start gap-2">
            <span className="min-w-0 flex-1 select-text whitespace-pre-wrap break-words">{entry.text}</span>
            <Button
              size="icon-sm"
              variant="ghost"
              aria-label="Discard this caption"
              onClick={() => captions.discard(entry)}
            >
              <Trash2 aria-hidden />
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
