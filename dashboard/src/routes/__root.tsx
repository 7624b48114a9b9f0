// The root of all pages: what every page shares, signed in or not.
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Outlet } from "@tanstack/react-router";
import { ToastProvider } from "~/components/ui/toast";
import { TooltipProvider } from "~/components/ui/tooltip";
import { LiveRegion } from "~/lib/live-region";

export const Route = createRootRouteWithContext<{ queries: QueryClient }>()({ component: Root });

function Root() {
  return (
    <ToastProvider>
      <TooltipProvider delay={400}>
        <Outlet />
        <LiveRegion />
      </TooltipProvider>
    </ToastProvider>
  );
}
