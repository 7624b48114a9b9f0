// The root of all pages: what every page shares, signed in or not.
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Outlet } from "@tanstack/react-router";
import { announce, ToastProvider } from "~/components/ui/toast";
import { TooltipProvider } from "~/components/ui/tooltip";
import { FileDrops } from "~/lib/file-drop";
import { LiveRegion } from "~/lib/live-region";

export const Route = createRootRouteWithContext<{ queries: QueryClient }>()({ component: Root });

/** A file that was dropped on a page that has no use for it. */
function sayWhere() {
  announce("Nothing was added", "To add pictures, open a dataset and drop them there.");
}

function Root() {
  return (
    <ToastProvider>
      <TooltipProvider delay={400}>
        <Outlet />
        <LiveRegion />
        <FileDrops onUnwanted={sayWhere} />
      </TooltipProvider>
    </ToastProvider>
  );
}
