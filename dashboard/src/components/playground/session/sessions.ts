// Which drawing sessions take pictures, which one is shown, and how long it has.
import type { DrawingPhase, DrawingSession } from "~/api/types";

/** Phases in which a session takes pictures to draw. */
const OPEN: DrawingPhase[] = ["ordered", "starting", "ready"];

export function isOpen({ phase }: DrawingSession): boolean {
  return OPEN.includes(phase);
}

/** Those that are not over, and the newest one that ended: its owner wants to know why. */
export function shown(sessions: DrawingSession[]): DrawingSession[] {
  const living = sessions.filter(({ phase }) => phase !== "ended");
  return living.length > 0 ? living : sessions.slice(0, 1);
}

/** The machine that draws, as a choice. */
export interface Place {
  value: string;
  label: string;
}

/** The sessions that take pictures, and the chosen one in any case; no `sessions` while they are loaded. */
export function places(sessions: DrawingSession[] | undefined, chosen: string | null): Place[] {
  const listed = (sessions ?? []).filter(isOpen).map(({ id, name }) => ({ value: id, label: name }));
  if (chosen === null || listed.some(({ value }) => value === chosen)) return listed;
  const known = sessions?.find(({ id }) => id === chosen);
  const unknown = sessions ? "A session that is over" : "Loading…";
  return [...listed, { value: chosen, label: known ? `${known.name} (over)` : unknown }];
}

export interface Left {
  /** Until it ends, in seconds; never below 0. */
  seconds: number;
  /** Nobody asks for a picture until then, or its money or its longest time is over. */
  because: "silence" | "limit";
}

/** How long a session has if nothing happens, by the server's clock; null while that cannot be said. */
export function timeLeft({ seconds_to_limit, seconds_to_silence }: DrawingSession): Left | null {
  if (seconds_to_limit == null) return null;
  return seconds_to_silence != null && seconds_to_silence < seconds_to_limit
    ? { seconds: seconds_to_silence, because: "silence" }
    : { seconds: seconds_to_limit, because: "limit" };
}

/** What is wrong with the minutes as they were typed. */
export function minutesError(text: string): string | undefined {
  const minutes = Number(text);
  return /^\s*\d+\s*$/.test(text) && minutes >= 1 && minutes <= 240 ? undefined : "Enter 1 to 240 minutes.";
}
