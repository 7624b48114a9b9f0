// One frame on a page: moved by dragging it or with arrows, resized at its corners or with shift and arrows, removed with
// Delete.
import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import type { PageFrame } from "~/api/types";
import { CORNERS, type Corner, moved, pressed, resized, type Size } from "./frames";

interface Props {
  number: number;
  n_panels: number;
  frame: PageFrame;
  page: Size;
  onChange: (frame: PageFrame) => void;
  onRemove: () => void;
}

/** Where a drag began. */
interface Drag {
  x: number;
  y: number;
  /** Pixels of the page for one of the screen. */
  scale: number;
  corner: Corner | undefined;
  frame: PageFrame;
}

const PLACES: Record<Corner, string> = {
  nw: "-top-3 -left-3 cursor-nwse-resize",
  ne: "-top-3 -right-3 cursor-nesw-resize",
  sw: "-bottom-3 -left-3 cursor-nesw-resize",
  se: "-right-3 -bottom-3 cursor-nwse-resize",
};

export function FrameBox({ number, n_panels, frame, page, onChange, onRemove }: Props) {
  const drag = useRef<Drag>(undefined);
  const start = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0) return;
    const box = event.currentTarget.offsetParent?.getBoundingClientRect();
    if (!box?.width) return;
    const corner = event.target instanceof HTMLElement ? event.target.dataset.corner : undefined;
    drag.current = {
      x: event.clientX,
      y: event.clientY,
      scale: page.width / box.width,
      corner: CORNERS.find((one) => one === corner),
      frame,
    };
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
  };
  const move = (event: PointerEvent) => {
    const from = drag.current;
    if (!from) return;
    const x = (event.clientX - from.x) * from.scale;
    const y = (event.clientY - from.y) * from.scale;
    onChange(from.corner ? resized(from.frame, from.corner, x, y, page) : moved(from.frame, x, y, page));
  };
  const end = () => {
    drag.current = undefined;
  };
  const onKeyDown = (event: KeyboardEvent<HTMLButtonElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = pressed(frame, event.key, event.shiftKey, page);
    if (next) onChange(next);
    else if (event.key === "Delete" || event.key === "Backspace") {
      // The focus goes on to another panel.
      const { nextElementSibling, previousElementSibling } = event.currentTarget;
      const other = [nextElementSibling, previousElementSibling].find(
        (one) => one instanceof HTMLButtonElement,
      );
      other?.focus();
      onRemove();
    } else return;
    event.preventDefault();
  };
  const share = (of: number, all: number) => `${(100 * of) / all}%`;
  return (
    <button
      type="button"
      aria-label={`Panel ${number} of ${n_panels}: ${frame.width} × ${frame.height} pixels at ${frame.left}, ${frame.top}`}
      aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown Delete"
      onPointerDown={start}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={onKeyDown}
      className="group/frame absolute cursor-move touch-none border-2 border-accent bg-accent/10 focus:z-10 focus-visible:outline-2"
      style={{
        left: share(frame.left, page.width),
        top: share(frame.top, page.height),
        width: share(frame.width, page.width),
        height: share(frame.height, page.height),
      }}
    >
      <span
        aria-hidden
        className="pointer-events-none absolute top-0 left-0 grid size-6 place-items-center bg-ink font-medium text-on-ink text-xs tabular-nums"
      >
        {number}
      </span>
      {CORNERS.map((corner) => (
        <span
          key={corner}
          aria-hidden
          data-corner={corner}
          className={`absolute grid size-6 place-items-center ${PLACES[corner]}`}
        >
          <span className="pointer-events-none size-3 rounded-full border-2 border-accent bg-surface" />
        </span>
      ))}
    </button>
  );
}
