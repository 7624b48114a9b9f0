// One upload at a time: its progress, and the report at its end.
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import type { UploadReport } from "~/api/types";
import { upload } from "~/api/upload";
import { announce, announceError } from "~/components/ui/toast";
import { formatPlural } from "~/lib/format";
import type { UploadState } from "./dropzone";

export function useUpload(dataset: string) {
  const queries = useQueryClient();
  const [state, setState] = useState<UploadState | null>(null);
  const [report, setReport] = useState<UploadReport | null>(null);
  const abort = useRef<AbortController | null>(null);

  const start = async (files: File[]) => {
    if (files.length === 0 || state) return;
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const controller = new AbortController();
    abort.current = controller;
    const at = (share: number) => setState({ n_files: files.length, bytes, share });
    at(0);
    setReport(null);
    try {
      const result = await upload({ dataset, files, onProgress: at, signal: controller.signal });
      setReport(result);
      const restored = result.restored ?? [];
      if (restored.length > 0) {
        announce(
          `${formatPlural(restored.length, "lost picture")} restored`,
          "Jobs can train on the dataset again.",
        );
      }
      if (result.accepted.length > 0) announce(`${formatPlural(result.accepted.length, "picture")} added`);
    } catch (error) {
      if (!controller.signal.aborted) announceError("The upload failed", error);
    } finally {
      setState(null);
      await queries.invalidateQueries({ queryKey: ["datasets"] });
    }
  };

  return {
    state,
    report,
    start: (files: File[]) => void start(files),
    cancel: () => abort.current?.abort(),
    dismiss: () => setReport(null),
  };
}
