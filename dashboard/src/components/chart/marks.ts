// The steps with rows, drawn at the foot of the curve; where the pointer is goes to the cursor that both share.
import type uPlot from "uplot";
import type { StepCursor } from "~/live/cursor";

/** Half of the width of a mark, in CSS pixels. */
const HALF = 4;
/** A pointer that moves further between press and release has zoomed. */
const CLICK_PX = 4;

/** Triangles below the curve, and a line at the one that is lit. */
export function drawMarks(plot: uPlot, cursor: StepCursor): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const styles = getComputedStyle(plot.root);
  const lit = cursor.lit();
  const foot = bbox.top + bbox.height;
  ctx.save();
  for (const step of cursor.marks) {
    const x = plot.valToPos(step, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const half = HALF * scale * (step === lit ? 1.6 : 1);
    ctx.fillStyle = styles.getPropertyValue(step === lit ? "--accent" : "--muted");
    ctx.beginPath();
    ctx.moveTo(x - half, foot);
    ctx.lineTo(x + half, foot);
    ctx.lineTo(x, foot - 1.6 * half);
    ctx.fill();
    if (step === lit) {
      ctx.strokeStyle = ctx.fillStyle;
      ctx.lineWidth = scale;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, foot);
      ctx.stroke();
    }
  }
  ctx.restore();
}

/** Tells the cursor where the pointer is on a chart, as uPlot's hook `setCursor`. */
export function pointerTo(cursor: StepCursor): (plot: uPlot) => void {
  // uPlot calls it with new data as well, when the pointer may be elsewhere.
  let isOver = false;
  return (plot) => {
    const step = pointedAt(plot);
    if (step !== undefined) cursor.point(step, "curve");
    else if (isOver) cursor.leave("curve");
    isOver = step !== undefined;
  };
}

function pointedAt({ cursor: { idx, left = -1 }, data }: uPlot): number | undefined {
  return idx == null || left < 0 ? undefined : data[0][idx];
}

/** Shows on a chart what the cursor is at, and says which step was clicked; answers how to stop that. */
export function watchCursor(plot: uPlot, cursor: StepCursor, onPick: (step: number) => void): () => void {
  const { over } = plot;
  let pressedAt = 0;
  const pressed = ({ clientX }: MouseEvent) => {
    pressedAt = clientX;
  };
  const clicked = ({ clientX }: MouseEvent) => {
    const step = pointedAt(plot);
    if (step !== undefined && step > 0 && Math.abs(clientX - pressedAt) < CLICK_PX) onPick(step);
  };
  let shown = cursor.lit();
  const stop = cursor.subscribe(() => {
    const lit = cursor.lit();
    if (!cursor.isOnCurve) {
      // Without a pointer on the curve, the legend tells of the keys or the row, or where the curve stands.
      const steps = plot.data[0];
      if (steps.length > 0) {
        const told = cursor.told();
        plot.setLegend({ idx: told === null ? steps.length - 1 : indexOf(steps, told) });
      }
    } else if (lit === shown) {
      return;
    }
    shown = lit;
    plot.redraw(false, false);
  });
  over.addEventListener("mousedown", pressed);
  over.addEventListener("click", clicked);
  return () => {
    stop();
    over.removeEventListener("mousedown", pressed);
    over.removeEventListener("click", clicked);
  };
}

/** The last point that is not behind a step. */
export function indexOf(steps: ArrayLike<number>, step: number): number {
  let index = 0;
  while (index + 1 < steps.length && (steps[index + 1] ?? 0) <= step) index += 1;
  return index;
}
