// Starts the app.
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRouter, RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ProblemError } from "./api/problem";
import { CaptionsProvider, captionsOf } from "./captions/captions";
import { Failure, NotFound } from "./components/failure";
import { Loading } from "./components/loading";
import { routeTree } from "./routeTree.gen";
import { UploaderProvider, uploaderOf } from "./uploads/provider";
import "./styles.css";

// A session that has ended leads to the sign-in page and back.
const onError = (error: unknown) => {
  const { href, pathname } = router.state.location;
  if (error instanceof ProblemError && error.problem.status === 401 && pathname !== "/login") {
    void router.navigate({ to: "/login", search: { to: href } });
  }
};

const queries = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refuses, it refuses again; only a lost connection is worth another try.
      retry: (failures, error) => !(error instanceof ProblemError) && failures < 2,
    },
  },
});

const router = createRouter({
  routeTree,
  context: { queries },
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: Failure,
  defaultPendingComponent: Loading,
  // Most pages are quicker, and show nothing in between.
  defaultPendingMs: 400,
  defaultPendingMinMs: 200,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

const captions = captionsOf(queries);
const uploader = uploaderOf(queries);
uploader.start();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <CaptionsProvider value={captions}>
          <UploaderProvider value={uploader}>
            <RouterProvider router={router} />
          </UploaderProvider>
        </CaptionsProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
