// The jobs that are ticked in the list, as they stand in its address.

/** Most jobs that are compared at once. */
export const MOST_COMPARED = 4;

export function pickedOf(text: string | undefined): string[] {
  return (text ?? "").split(",").filter((id) => id !== "");
}

/** Ticks a job, or takes its tick away; nothing stays when none is ticked. */
export function togglePicked(picked: string[], id: string): string | undefined {
  const next = picked.includes(id) ? picked.filter((one) => one !== id) : [...picked, id];
  return next.length === 0 ? undefined : next.join(",");
}
