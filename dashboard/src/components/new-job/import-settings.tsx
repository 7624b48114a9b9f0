// Brings settings of another trainer into the form.
import { FileInput } from "lucide-react";
import { useState } from "react";
import { describeError } from "~/api/problem";
import { useReadRecipe } from "~/api/recipes";
import type { ImportedRecipe } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { FILE, Field, Textarea } from "~/components/ui/field";
import { announce } from "~/components/ui/toast";
import { cn } from "~/lib/cn";
import { formatSentence } from "~/lib/format";
import { LeftOutList } from "./left-out";

interface Props {
  onImport: (imported: ImportedRecipe) => void;
}

export function ImportSettings({ onImport }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        <FileInput aria-hidden />
        Import settings…
      </Button>
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title="Import settings"
        description="From sd-scripts, kohya_ss, OneTrainer or ai-toolkit. What has no counterpart is listed."
        className="max-w-2xl"
      >
        <Form
          onImport={(imported) => {
            onImport(imported);
            setOpen(false);
            announce("The settings are in the form");
          }}
        />
      </Dialog>
    </>
  );
}

function Form({ onImport }: Props) {
  const [text, setText] = useState("");
  const read = useReadRecipe();
  const change = (next: string) => {
    setText(next);
    read.reset();
  };
  const imported = read.data;
  return (
    <div className="flex flex-col gap-3 p-4">
      <Field
        label="Settings"
        help="A TOML file or a command line of sd-scripts, JSON of kohya_ss or OneTrainer, YAML of ai-toolkit."
        error={read.error ? describeError(read.error) : undefined}
        aside={
          <input
            type="file"
            aria-label="Choose a file"
            className={cn(FILE, "max-w-60 text-xs")}
            onChange={async ({ target }) => change((await target.files?.[0]?.text()) ?? "")}
          />
        }
      >
        {(control) => (
          <Textarea
            {...control}
            rows={8}
            className="font-mono text-xs"
            value={text}
            onChange={({ target }) => change(target.value)}
          />
        )}
      </Field>
      {imported && (
        <section aria-label="What was read" className="flex flex-col gap-2">
          {imported.notes.map((note) => (
            <p key={note} className="text-muted text-xs">
              {formatSentence(note)}
            </p>
          ))}
          <LeftOutList items={imported.left_out} />
        </section>
      )}
      <div className="flex justify-end gap-2">
        {imported ? (
          <Button variant="primary" onClick={() => onImport(imported)}>
            Use these settings
          </Button>
        ) : (
          <Button
            variant="primary"
            disabled={text.trim() === "" || read.isPending}
            onClick={() => read.mutate(text)}
          >
            Read
          </Button>
        )}
      </div>
    </div>
  );
}
