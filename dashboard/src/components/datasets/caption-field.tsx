// The caption of a picture, edited in place. It is saved when the field is left, and says how far that is.
import { Check, CloudOff, LoaderCircle, TriangleAlert } from "lucide-react";
import { type KeyboardEvent, type Ref, useEffect } from "react";
import type { Item } from "~/api/types";
import { useCaption, useCaptions } from "~/captions/captions";
import type { Entry, Place } from "~/captions/saver";
import { Button } from "~/components/ui/button";
import { Textarea } from "~/components/ui/field";
import { formatSentence } from "~/lib/format";

interface Props {
  dataset: string;
  item: Item;
  /** Goes to the next caption (1) or the one before (-1); false if there is none. */
  onMove?: (by: 1 | -1) => boolean;
  className?: string;
  ref?: Ref<HTMLTextAreaElement>;
}

/** The id of the field with the caption of a picture in the grid. */
export function captionId(item: string): string {
  return `caption-${item}`;
}

export function CaptionField({
  dataset,
  item,
  onMove,
  className = "min-h-16 scroll-my-28 text-xs",
  ref,
}: Props) {
  const captions = useCaptions();
  const entry = useCaption(item.id);
  const place = { dataset, item: item.id };
  const isTyped = entry !== undefined && entry.state.kind !== "saved" && entry.state.kind !== "reverted";
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Escape" && isTyped && entry.text.trim() !== entry.base) {
      captions.revert(place);
      // In a dialog, the next Escape closes it.
      event.stopPropagation();
    }
    // Enter that ends a word of Chinese or Japanese is not the end of the caption.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      // The next field may still have to be scrolled to: this text is final already.
      captions.leave(place);
      if (!onMove?.(event.altKey ? -1 : 1)) event.currentTarget.blur();
    }
  };
  // A field that goes away with the focus is not left in any other way.
  useEffect(() => () => captions.leave({ dataset, item: item.id }), [captions, dataset, item.id]);
  return (
    <div className="flex flex-col gap-1">
      <Textarea
        id={captionId(item.id)}
        ref={ref}
        aria-label={`Caption of ${item.file_name}`}
        placeholder="Describe the picture in the words of a prompt"
        value={isTyped ? entry.text : item.caption}
        onChange={(event) => captions.type(place, event.target.value, item.caption)}
        onBlur={() => captions.leave(place)}
        onKeyDown={onKeyDown}
        className={className}
      />
      {entry && <Progress entry={entry} place={place} fileName={item.file_name} />}
    </div>
  );
}

interface ProgressProps {
  entry: Entry;
  place: Place;
  fileName: string;
}

function Progress({ entry, place, fileName }: ProgressProps) {
  const captions = useCaptions();
  const { state, isKept } = entry;
  const line = "flex items-center gap-1 text-xs [&_svg]:size-3.5 [&_svg]:shrink-0";
  switch (state.kind) {
    case "typing":
      return (
        <p className={`${line} text-muted`}>{isKept ? "Not saved yet" : "Not saved. Keep this page open."}</p>
      );
    case "saving":
      return (
        <p role="status" className={`${line} text-muted`}>
          <LoaderCircle aria-hidden className="animate-spin motion-reduce:animate-none" />
          Saving…
        </p>
      );
    case "saved":
      return (
        <p role="status" className={`${line} text-good`}>
          <Check aria-hidden />
          Saved
        </p>
      );
    case "waiting":
      return (
        <p role="status" className={`${line} text-warning`}>
          <CloudOff aria-hidden />
          {isKept ? "Not saved. Trying again…" : "Not saved. Trying again; keep this page open."}
        </p>
      );
    case "refused":
      return (
        <p role="alert" className={`${line} text-bad`}>
          <TriangleAlert aria-hidden />
          Not saved: {formatSentence(state.reason)}
        </p>
      );
    case "reverted":
      return (
        <p role="status" className={`${line} justify-between text-muted`}>
          Your change was undone.
          <Button size="sm" onClick={() => captions.restore(place)}>
            Redo
          </Button>
        </p>
      );
    case "conflict":
      return (
        <section
          aria-label={`Two captions of ${fileName}`}
          className="rounded-md border border-warning bg-warning-soft p-2 text-xs"
        >
          <p role="alert" className="font-medium">
            Not saved: this caption was changed elsewhere. It is now:
          </p>
          <blockquote className="my-1.5 whitespace-pre-wrap break-words border-warning border-l-2 pl-2">
            {state.current || "(empty)"}
          </blockquote>
          <div className="flex flex-wrap gap-1.5">
            <Button size="sm" onClick={() => captions.keepMine(place)}>
              Keep mine
            </Button>
            <Button size="sm" onClick={() => captions.takeTheirs(place)}>
              Use the other
            </Button>
          </div>
        </section>
      );
  }
}
