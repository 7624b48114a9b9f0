// Where a list is on the page: what a list of which only a part is built is laid out by.
import { type RefObject, useCallback, useEffect, useLayoutEffect, useState } from "react";

/** Width of a list, and its distance from the top of the page, in pixels. */
export function usePlace(list: RefObject<HTMLElement | null>): { width: number; top: number } {
  const [place, setPlace] = useState({ width: 0, top: 0 });
  const look = useCallback(() => {
    if (!list.current) return;
    const box = list.current.getBoundingClientRect();
    const [width, top] = [box.width, box.top + window.scrollY];
    setPlace((before) =>
      Math.abs(before.width - width) < 1 && Math.abs(before.top - top) < 1 ? before : { width, top },
    );
  }, [list]);
  // What is above it changes with every finding, upload and selection.
  useLayoutEffect(look);
  useEffect(() => {
    const watch = new ResizeObserver(look);
    watch.observe(document.body);
    if (list.current) watch.observe(list.current);
    return () => watch.disconnect();
  }, [list, look]);
  return place;
}
