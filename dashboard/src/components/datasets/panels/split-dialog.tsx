// A comic page that is split into panels: the frames that were found, to be corrected, and what becomes of balloons.
import { Dialog as Base } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { Plus, RotateCcw, X } from "lucide-react";
import { useState } from "react";
import { useSplitIntoPanels } from "~/api/datasets";
import { describeError } from "~/api/problem";
import { panelsQuery } from "~/api/queries";
import type { Balloons, Item, MadePanels, PageFrame } from "~/api/types";
import { Button, buttonClass } from "~/components/ui/button";
import { Field } from "~/components/ui/field";
import { Kbd } from "~/components/ui/misc";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { announce } from "~/components/ui/toast";
import { formatPlural, formatSentence } from "~/lib/format";
import { FrameBox } from "./frame-box";
import { added, MOST_FRAMES, type Panel, panelsOf } from "./frames";
import { inOrder, type ReadingOrder } from "./order";

const BALLOONS: { value: Balloons; label: string }[] = [
  { value: "keep", label: "Keep: the LoRA will draw them" },
  { value: "mask", label: "Mask: left out of the loss" },
  { value: "paint", label: "Paint over" },
];

interface Props {
  dataset: string;
  item: Item;
  onClose: () => void;
}

export function SplitDialog({ dataset, item, onClose }: Props) {
  const [order, setOrder] = useState<ReadingOrder>("left_to_right");
  const [balloons, setBalloons] = useState<Balloons>("keep");
  /** What was drawn here; nothing as long as it is what was found. */
  const [drawn, setDrawn] = useState<Panel[]>();
  const found = useQuery(panelsQuery(dataset, item));
  const split = useSplitIntoPanels(dataset);
  const page = { width: item.width, height: item.height };
  const frames = found.data?.panels.map(({ frame }) => frame) ?? [];
  const panels = drawn ?? panelsOf(frames, page);
  const numbered = inOrder(panels, order);
  const change = (id: number, frame: PageFrame) =>
    setDrawn(panels.map((panel) => (panel.id === id ? { id, frame } : panel)));
  const make = () =>
    split.mutate(
      { item: item.id, request: { frames: numbered.map(({ frame }) => frame), balloons } },
      {
        onSuccess: (made) => {
          announce(`${formatPlural(made.panels.length, "panel")} made`, says(made));
          onClose();
        },
      },
    );
  const error = split.error ?? found.error;
  return (
    <Base.Root open onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Popup className="fixed inset-0 z-50 grid grid-rows-[auto_minmax(0,1fr)_auto] bg-bg outline-none md:grid-cols-[minmax(0,1fr)_minmax(18rem,24rem)] md:grid-rows-[auto_minmax(0,1fr)]">
          <header className="flex min-w-0 items-center gap-1.5 border-b px-3 py-2 md:col-span-2">
            <Base.Title className="min-w-0 flex-1 truncate font-medium">
              Split {item.file_name} into panels
            </Base.Title>
            <Base.Close aria-label="Close" className={buttonClass({ variant: "ghost", size: "icon-sm" })}>
              <X aria-hidden />
            </Base.Close>
          </header>
          <section
            aria-label="Page with its panels"
            className="m-4 grid min-h-0 min-w-0 place-items-center [container-type:size]"
          >
            <div
              className="relative"
              style={{
                width: `min(100cqw, calc(100cqh * ${item.width / item.height}))`,
                aspectRatio: item.width / item.height,
              }}
            >
              <img src={item.url} alt={item.caption || item.file_name} className="size-full select-none" />
              {panels.map(({ id, frame }) => (
                <FrameBox
                  key={id}
                  number={numbered.findIndex((panel) => panel.id === id) + 1}
                  n_panels={panels.length}
                  frame={frame}
                  page={page}
                  onChange={(next) => change(id, next)}
                  onRemove={() => setDrawn(panels.filter((panel) => panel.id !== id))}
                />
              ))}
            </div>
          </section>
          <div className="flex max-h-[45dvh] min-w-0 flex-col gap-3 overflow-y-auto border-t p-3 md:max-h-none md:border-t-0 md:border-l">
            <p role="status" className="text-muted text-xs">
              {found.isPending
                ? "Looking for panels…"
                : `${formatPlural(panels.length, "panel")} on the page`}
            </p>
            <Segmented<ReadingOrder>
              label="Reading direction"
              value={order}
              onValueChange={setOrder}
              options={[
                { value: "left_to_right", label: "Left to right" },
                { value: "right_to_left", label: "Right to left" },
              ]}
            />
            <Field
              label="Balloons"
              help={balloons === "mask" ? "Set masked_loss when you train." : undefined}
            >
              {({ id }) => (
                <Select<Balloons> id={id} value={balloons} onValueChange={setBalloons} options={BALLOONS} />
              )}
            </Field>
            <div className="flex flex-wrap gap-1.5">
              <Button
                size="sm"
                disabled={found.isPending || panels.length >= MOST_FRAMES}
                onClick={() => setDrawn(added(panels, page))}
              >
                <Plus aria-hidden />
                Add a panel
              </Button>
              <Button size="sm" disabled={!drawn} onClick={() => setDrawn(undefined)}>
                <RotateCcw aria-hidden />
                As found
              </Button>
            </div>
            {error && (
              <p role="alert" className="wrap-anywhere text-bad text-xs">
                {formatSentence(describeError(error))}
              </p>
            )}
            <Button
              variant="primary"
              disabled={found.isPending || panels.length === 0 || split.isPending}
              onClick={make}
            >
              Make {formatPlural(panels.length, "panel")}
            </Button>
            <p className="text-muted text-xs">
              Each becomes a picture with the caption of the page. The page stays, and is no longer trained
              on.
              {item.set_aside &&
                " Panels that it was split into before are replaced, unless you edited their captions."}
            </p>
            <p className="mt-auto hidden text-muted text-xs leading-6 md:block">
              <Kbd>Tab</Kbd> goes from panel to panel, arrows move one, <Kbd>Shift</Kbd> with arrows resizes
              it, <Kbd>Delete</Kbd> removes it.
            </p>
          </div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** What else became of a split. */
function says({ n_replaced, kept, refused }: MadePanels): string | undefined {
  const said = [
    n_replaced > 0 && `${formatPlural(n_replaced, "earlier panel")} replaced.`,
    kept.length > 0 && `${formatPlural(kept.length, "earlier panel")} with edited captions kept.`,
    ...refused.map(({ file_name, reason }) => `${file_name} was not made: it ${reason}.`),
  ];
  return said.filter(Boolean).join(" ") || undefined;
}
