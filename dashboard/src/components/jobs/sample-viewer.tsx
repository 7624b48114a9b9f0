// One sample, large: left and right go through the steps, up and down through the prompts.
import { Dialog as Base } from "@base-ui/react/dialog";
import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useRef } from "react";
import type { Sample } from "~/api/types";
import { formatCount } from "~/lib/format";
import { rows } from "./sample-grid";

interface Props {
  samples: Sample[];
  shown: Sample;
  onShow: (sample: Sample | null) => void;
}

const KEYS: Record<string, [number, number]> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** The sample that lies `by` prompts and steps away; the nearest step when that prompt lacks it. */
export function neighbor(
  samples: Sample[],
  from: Sample,
  [prompts, steps]: [number, number],
): Sample | undefined {
  const grid = rows(samples);
  const y = grid.findIndex((row) => row[0]?.prompt_index === from.prompt_index);
  if (prompts === 0) {
    const row = grid[y] ?? [];
    return row[row.findIndex((one) => one.step === from.step) + steps];
  }
  const row = grid[y + prompts];
  return row?.toSorted((a, b) => Math.abs(a.step - from.step) - Math.abs(b.step - from.step))[0];
}

/** Shorter movements are taps. */
const SWIPE_PX = 48;

/** Where a swipe leads: to the left to the later step, up to the prompt below. */
export function swiped(dx: number, dy: number): [number, number] | null {
  if (Math.max(Math.abs(dx), Math.abs(dy)) < SWIPE_PX) return null;
  return Math.abs(dx) > Math.abs(dy) ? [0, dx < 0 ? 1 : -1] : [dy < 0 ? 1 : -1, 0];
}

export function SampleViewer({ samples, shown, onShow }: Props) {
  const go = (by: [number, number]) => {
    const next = neighbor(samples, shown, by);
    if (next) onShow(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = KEYS[event.key];
    if (!by) return;
    event.preventDefault();
    go(by);
  };
  const touched = useRef<{ x: number; y: number } | null>(null);
  const has = (by: [number, number]) => neighbor(samples, shown, by) !== undefined;
  return (
    <Base.Root open onOpenChange={(open) => !open && onShow(null)}>
      <Base.Portal>
        <Base.Popup
          onKeyDown={onKeyDown}
          onTouchStart={({ touches }) => {
            const touch = touches[0];
            touched.current = touch ? { x: touch.clientX, y: touch.clientY } : null;
          }}
          onTouchEnd={({ changedTouches }) => {
            const touch = changedTouches[0];
            if (!touch || !touched.current) return;
            const by = swiped(touch.clientX - touched.current.x, touch.clientY - touched.current.y);
            touched.current = null;
            if (by) go(by);
          }}
          className="fixed inset-0 z-50 grid grid-rows-[auto_1fr_auto] bg-viewer text-on-viewer outline-none"
        >
          <header className="flex items-center gap-3 px-4 py-3">
            <Base.Title className="font-medium">Step {formatCount(shown.step)}</Base.Title>
            <span className="text-xs">Seed {shown.seed}</span>
            <Base.Close
              aria-label="Close"
              className="ml-auto rounded-md p-1.5 focus-visible:outline-on-viewer"
            >
              <X aria-hidden className="size-5" />
            </Base.Close>
          </header>
          <div className="flex min-h-0 items-center justify-center gap-2 px-2">
            <Arrow label="Earlier step" onClick={() => go([0, -1])} disabled={!has([0, -1])}>
              <ArrowLeft aria-hidden />
            </Arrow>
            <img
              src={shown.url}
              alt={shown.prompt}
              className="max-h-full min-h-0 w-[min(70vh,70vw)] rounded-sm object-contain"
            />
            <Arrow label="Later step" onClick={() => go([0, 1])} disabled={!has([0, 1])}>
              <ArrowRight aria-hidden />
            </Arrow>
          </div>
          <footer className="flex items-center justify-center gap-3 px-4 py-3 text-center">
            <Arrow label="Prompt above" onClick={() => go([-1, 0])} disabled={!has([-1, 0])}>
              <ArrowUp aria-hidden />
            </Arrow>
            <Base.Description className="max-w-prose">{shown.prompt}</Base.Description>
            <Arrow label="Prompt below" onClick={() => go([1, 0])} disabled={!has([1, 0])}>
              <ArrowDown aria-hidden />
            </Arrow>
          </footer>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface ArrowProps {
  label: string;
  onClick: () => void;
  disabled: boolean;
  children: ReactNode;
}

function Arrow({ label, onClick, disabled, children }: ArrowProps) {
  return (
    <button
      type="button"
      aria-label={label}
      onClick={onClick}
      disabled={disabled}
      className="shrink-0 rounded-md p-2 focus-visible:outline-on-viewer disabled:opacity-30 [&_svg]:size-5"
    >
      {children}
    </button>
  );
}
