// How large the pictures of a dataset are shown; remembered by the browser.
import { useSyncExternalStore } from "react";

export const DENSITIES = ["large", "medium", "small"] as const;
export type Density = (typeof DENSITIES)[number];

const KEY = "morpheus.density";
const listeners = new Set<() => void>();

function stored(): Density {
  const value = localStorage.getItem(KEY);
  return DENSITIES.find((one) => one === value) ?? "medium";
}

export function setDensity(density: Density): void {
  if (density === "medium") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, density);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useDensity(): Density {
  return useSyncExternalStore(subscribe, stored);
}

/** Space between pictures, in pixels. */
export const GAP_PX = 12;

/** Narrowest column in pixels, and the share of the width that it may have where that is less. */
const COLUMN: Record<Density, { px: number; share: number }> = {
  large: { px: 320, share: 1 },
  medium: { px: 200, share: 0.46 },
  small: { px: 112, share: 0.29 },
};

/** Columns of a grid that is so many pixels wide. */
export function columnsOf(density: Density, width: number): number {
  const { px, share } = COLUMN[density];
  return Math.max(1, Math.floor((width + GAP_PX) / (Math.min(px, share * width) + GAP_PX)));
}
