// The uploads of this window, for pages.
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { upload } from "~/api/upload";
import { announce } from "~/components/ui/toast";
import { formatPlural } from "~/lib/format";
import { Uploader } from "./uploads";

/** Uploads through the API, and brings what pages show up to date. */
export function uploaderOf(queries: QueryClient): Uploader {
  return new Uploader(upload, (_, report) => {
    const n = report?.accepted.length ?? 0;
    if (n > 0) announce(`${formatPlural(n, "picture")} added`);
    const nRestored = report?.restored?.length ?? 0;
    if (nRestored > 0) {
      announce(`${formatPlural(nRestored, "lost picture")} restored`, "Jobs can train on the dataset again.");
    }
    void queries.invalidateQueries({ queryKey: ["datasets"] });
  });
}

const UploaderContext = createContext<Uploader | null>(null);

export const UploaderProvider = UploaderContext.Provider;

export function useUploader(): Uploader {
  const uploader = useContext(UploaderContext);
  if (!uploader) throw new Error("a page with uploads is outside of UploaderProvider");
  return uploader;
}
