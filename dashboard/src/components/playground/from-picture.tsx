// Settings from a picture: chosen, dropped or pasted. It is read in the browser and sent nowhere.
import { ImageDown, X } from "lucide-react";
import { useCallback, useRef, useState } from "react";
import type { BaseModel, ModelVersion } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Said } from "~/components/ui/said";
import { useFileDrop } from "~/lib/file-drop";
import { formatPlural } from "~/lib/format";
import { PngError } from "~/lib/png-texts";
import type { Values } from "./form";
import { settingsOf } from "./picture-settings";

/** Pictures that are larger were not drawn here, and take long to read. */
const MAX_BYTES = 256 << 20;

interface Told {
  title: string;
  isError: boolean;
  missing: string[];
}

interface Options {
  bases: BaseModel[];
  versions: ModelVersion[];
  base_model: string;
  onRestore: (change: Partial<Values>) => void;
}

/** Takes pictures that come to the page; what came of the last one is told until it is dismissed. */
export function usePictureSettings(options: Options) {
  const [told, setTold] = useState<Told | null>(null);
  const latest = useRef(options);
  latest.current = options;
  const take = useCallback(async (files: File[]) => {
    const [file] = files;
    if (!file) return;
    try {
      if (file.size > MAX_BYTES) throw new PngError("It is larger than 256 MiB.");
      const { change, missing } = await settingsOf(file, latest.current);
      latest.current.onRestore(change);
      const others = files.length - 1;
      if (others > 0) missing.push(`${formatPlural(others, "other file was", "other files were")} not read.`);
      setTold({ title: `Settings restored from ${file.name}.`, isError: false, missing });
    } catch (error) {
      const why = error instanceof PngError ? error.message : "The file could not be read.";
      setTold({ title: `No settings restored from ${file.name}. ${why}`, isError: true, missing: [] });
    }
  }, []);
  useFileDrop("the playground", take, "Drop to use the settings of this picture");
  return { told, take, dismiss: () => setTold(null) };
}

type PictureSettings = ReturnType<typeof usePictureSettings>;

export function PictureButton({ take }: Pick<PictureSettings, "take">) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        accept="image/png"
        hidden
        aria-label="Picture with settings"
        onChange={({ target }) => {
          void take([...(target.files ?? [])]);
          // The same picture may be chosen again.
          target.value = "";
        }}
      />
      <Button onClick={() => input.current?.click()}>
        <ImageDown aria-hidden />
        Settings from a picture
      </Button>
    </>
  );
}

export function PictureNotice({ told, dismiss }: Pick<PictureSettings, "told" | "dismiss">) {
  if (!told) return null;
  return (
    <div
      role={told.isError ? "alert" : "status"}
      className="mb-4 flex items-start justify-between gap-2 rounded-md border bg-sunken px-3 py-2"
    >
      <div className="min-w-0 wrap-anywhere">
        <p className={told.isError ? "text-bad" : "font-medium"}>
          <Said>{told.title}</Said>
        </p>
        {told.missing.length > 0 && (
          <>
            <p className="mt-1">Not restored as it was:</p>
            <ul aria-label="Not restored" className="list-disc pl-5 text-muted">
              {told.missing.map((what) => (
                <li key={what}>
                  <Said>{what}</Said>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
      <Button variant="ghost" size="icon-sm" aria-label="Dismiss" onClick={dismiss}>
        <X aria-hidden />
      </Button>
    </div>
  );
}
