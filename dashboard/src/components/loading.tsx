// What stands in a page's place while its data is on its way.
import { Skeleton } from "./ui/misc";

export function Loading() {
  return (
    <div role="status" className="mx-auto w-full max-w-[88rem] px-4 pt-4 md:px-6 md:pt-5">
      <h1 className="display text-2xl text-muted">Loading…</h1>
      <Skeleton className="mt-4 h-40" />
    </div>
  );
}
