// One picture, large, beside its caption: Enter saves it and goes to the next one, Alt with Enter to the one before.
import { Dialog as Base } from "@base-ui/react/dialog";
import { ArrowLeft, ArrowRight, LayoutPanelTop, X, ZoomIn, ZoomOut } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import type { Item } from "~/api/types";
import { useCaption } from "~/captions/captions";
import { isUnsaved } from "~/captions/saver";
import { CaptionField } from "~/components/datasets/caption-field";
import { Button, buttonClass } from "~/components/ui/button";
import { Kbd } from "~/components/ui/misc";
import { cn } from "~/lib/cn";
import { formatBytes, formatCount, formatSentence } from "~/lib/format";
import { TokenRuler } from "./token-ruler";

/** Pixels of the screen for one of the picture; 0 fits it into the window. */
const ZOOMS = [0, 0.5, 1, 2, 4] as const;

interface Props {
  dataset: string;
  item: Item;
  /** The pictures that the arrows go through. */
  shown: readonly Item[];
  detail: string | undefined;
  max_tokens: number;
  onShow: (item: Item | null) => void;
  /** Splits it into panels. */
  onSplit: () => void;
}

export function PictureView({ dataset, item, shown, detail, max_tokens, onShow, onSplit }: Props) {
  const [zoom, setZoom] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const at = shown.findIndex(({ id }) => id === item.id);
  const go = (by: 1 | -1): boolean => {
    const next = at < 0 ? undefined : shown[at + by];
    if (!next) return false;
    onShow(next);
    return true;
  };
  const magnify = (by: 1 | -1) => setZoom((before) => Math.min(ZOOMS.length - 1, Math.max(0, before + by)));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "PageDown") go(1);
    else if (event.key === "PageUp") go(-1);
    else if (event.target instanceof HTMLTextAreaElement) return;
    else if (event.key === "ArrowRight") go(1);
    else if (event.key === "ArrowLeft") go(-1);
    else if (event.key === "+") magnify(1);
    else if (event.key === "-") magnify(-1);
    else if (event.key === "0") setZoom(0);
    else return;
    event.preventDefault();
  };
  return (
    <Base.Root open onOpenChange={(open) => !open && onShow(null)}>
      <Base.Portal>
        <Base.Popup
          initialFocus={field}
          onKeyDown={onKeyDown}
          className="fixed inset-0 z-50 grid grid-rows-[auto_minmax(0,1fr)_auto] bg-bg outline-none md:grid-cols-[minmax(0,1fr)_minmax(18rem,26rem)] md:grid-rows-[auto_minmax(0,1fr)]"
        >
          <header className="flex min-w-0 items-center gap-1.5 border-b px-3 py-2 md:col-span-2">
            <Base.Title className="min-w-0 flex-1 truncate font-medium">{item.file_name}</Base.Title>
            {at >= 0 && (
              <span role="status" className="shrink-0 text-muted text-xs tabular-nums">
                {formatCount(at + 1)} of {formatCount(shown.length)}
              </span>
            )}
            <Icon label="Previous picture" disabled={at <= 0} onClick={() => go(-1)}>
              <ArrowLeft aria-hidden />
            </Icon>
            <Icon label="Next picture" disabled={at < 0 || at === shown.length - 1} onClick={() => go(1)}>
              <ArrowRight aria-hidden />
            </Icon>
            <Icon label="Zoom out" disabled={zoom === 0} onClick={() => magnify(-1)}>
              <ZoomOut aria-hidden />
            </Icon>
            <Icon label="Zoom in" disabled={zoom === ZOOMS.length - 1} onClick={() => magnify(1)}>
              <ZoomIn aria-hidden />
            </Icon>
            <Base.Close aria-label="Close" className={buttonClass({ variant: "ghost", size: "icon-sm" })}>
              <X aria-hidden />
            </Base.Close>
          </header>
          <Large key={item.id} item={item} zoom={ZOOMS[zoom] ?? 0} />
          <div className="flex max-h-[45dvh] min-w-0 flex-col gap-3 overflow-y-auto border-t p-3 md:max-h-none md:border-t-0 md:border-l">
            {detail && <p className="wrap-anywhere text-warning">{formatSentence(detail)}</p>}
            <CaptionField
              ref={field}
              dataset={dataset}
              item={item}
              onMove={go}
              className="min-h-24 text-sm md:min-h-48"
            />
            <Ruler item={item} max_tokens={max_tokens} />
            <p className="text-muted text-xs">
              {item.width} × {item.height} · {formatBytes(item.size_bytes)}
              {item.group && ` · ${item.group}`}
              {item.split === "held_out" && " · held out"}
              {item.panel && ` · panel ${item.panel.number} of a page`}
              {item.set_aside && " · split into panels, not trained on"}
            </p>
            <Button size="sm" className="self-start" onClick={onSplit}>
              <LayoutPanelTop aria-hidden />
              {item.set_aside ? "Split into panels again" : "Split into panels"}
            </Button>
            <p className="mt-auto hidden text-muted text-xs leading-6 md:block">
              <Kbd>Enter</Kbd> saves and goes on, <Kbd>Alt</Kbd> <Kbd>Enter</Kbd> goes back, <Kbd>Esc</Kbd>{" "}
              takes the change back. <Kbd>Page ↓</Kbd> <Kbd>Page ↑</Kbd> go through the pictures.
            </p>
          </div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** What is being typed, or else what is saved. */
function Ruler({ item, max_tokens }: { item: Item; max_tokens: number }) {
  const entry = useCaption(item.id);
  return <TokenRuler text={entry && isUnsaved(entry) ? entry.text : item.caption} max_tokens={max_tokens} />;
}

function Large({ item, zoom }: { item: Item; zoom: number }) {
  return (
    <section
      aria-label={zoom === 0 ? "Picture" : `Picture at ${zoom * 100} %`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
      tabIndex={0}
      className="-outline-offset-2 grid min-h-0 min-w-0 overflow-auto bg-sunken p-2"
    >
      <img
        src={item.url}
        alt={item.caption || item.file_name}
        width={item.width}
        height={item.height}
        className={cn("m-auto", zoom === 0 ? "size-full object-contain" : "max-w-none")}
        style={zoom === 0 ? undefined : { width: item.width * zoom, height: item.height * zoom }}
      />
    </section>
  );
}

interface IconProps {
  label: string;
  disabled: boolean;
  onClick: () => void;
  children: ReactNode;
}

/** It keeps the focus where there is nothing more to do: the keys of the view go on from there. */
function Icon({ label, disabled, ...props }: IconProps) {
  return (
    <Button
      variant="ghost"
      size="icon-sm"
      aria-label={label}
      title={label}
      aria-disabled={disabled}
      {...props}
    />
  );
}
