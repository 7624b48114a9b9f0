// A dataset's cover: its first pictures, laid out like the panels of a comic page.
import { cn } from "~/lib/cn";

const LAYOUTS: Record<number, string[]> = {
  1: ["col-span-6 row-span-2"],
  2: ["col-span-3 row-span-2", "col-span-3 row-span-2"],
  3: ["col-span-4 row-span-2", "col-span-2", "col-span-2"],
  4: ["col-span-3", "col-span-3", "col-span-2", "col-span-4"],
};

export function Mosaic({ urls, className }: { urls: string[]; className?: string }) {
  const shown = urls.slice(0, 4);
  const layout = LAYOUTS[shown.length];
  return (
    <div className={cn("grid aspect-[3/2] grid-cols-6 grid-rows-2 gap-1 bg-surface", className)}>
      {layout ? (
        shown.map((url, index) => (
          <div key={url} className={cn("min-h-0 overflow-hidden bg-sunken", layout[index])}>
            <img src={url} alt="" loading="lazy" className="size-full object-cover object-[50%_35%]" />
          </div>
        ))
      ) : (
        <div className="hatch col-span-6 row-span-2 bg-sunken" />
      )}
    </div>
  );
}
