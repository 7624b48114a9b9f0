// Base models become usable, or cease to be, while a page is open.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { RegisteredBase } from "~/api/types";
import { usableKey } from "./state";

/** What forms offer, and what the server says of a job with it, follow from what is registered. */
const FOLLOWING = ["base-models", "presets", "estimate"];

/** Has forms ask again what they may offer when that has changed. */
export function useFormsFollow(bases: RegisteredBase[]): void {
  const queries = useQueryClient();
  const usable = usableKey(bases);
  const last = useRef(usableKey([]));
  useEffect(() => {
    if (last.current === usable) return;
    last.current = usable;
    for (const key of FOLLOWING) void queries.invalidateQueries({ queryKey: [key] });
  }, [usable, queries]);
}
