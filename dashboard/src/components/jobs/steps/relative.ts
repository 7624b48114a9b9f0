// How hard a picture is, in words.
import type { JobPicture } from "~/api/types";

/** A loss as a multiple of what is usual at the same noise. */
export function formatRelative(relative: number): string {
  return `${relative.toFixed(2)} × usual`;
}

/** Fewer losses say more about the noise than about the picture. */
export const ENOUGH = 3;
/** Below this, a picture is as hard as the others. */
const HARD = 1.1;
const MOST = 8;

/** The pictures that stand out, the hardest first. */
export function hardest(pictures: JobPicture[]): JobPicture[] {
  return pictures
    .filter(({ n_seen, relative_loss }) => n_seen >= ENOUGH && relative_loss >= HARD)
    .sort((a, b) => b.relative_loss - a.relative_loss)
    .slice(0, MOST);
}

/** Whether enough is known to say that no picture stands out. */
export function isKnown(pictures: JobPicture[]): boolean {
  return pictures.length > 0 && pictures.every(({ n_seen }) => n_seen >= ENOUGH);
}
