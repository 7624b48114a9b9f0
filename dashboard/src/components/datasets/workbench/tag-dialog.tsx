// Renames a tag in all captions, or does anything else to them that begins with a tag.
import type { Item } from "~/api/types";
import { EditForm } from "~/components/datasets/caption-edits/edit-form";
import { EditHistory } from "~/components/datasets/caption-edits/edit-history";
import { Dialog } from "~/components/ui/dialog";

interface Props {
  dataset: string;
  items: readonly Item[];
  /** The tag; nothing while the dialog is closed. */
  tag: string | undefined;
  onClose: () => void;
}

export function TagDialog({ dataset, items, tag, onClose }: Props) {
  return (
    <Dialog
      open={tag !== undefined}
      onOpenChange={(open) => !open && onClose()}
      title="Rename or remove a tag"
      description="In all captions of the dataset. The difference is shown first, and the edit can be undone."
      className="max-w-2xl"
    >
      <div className="flex flex-col gap-3 p-4">
        <EditForm
          dataset={dataset}
          shown={items}
          n_items={items.length}
          initial={{ kind: "rename_tag", text: tag ?? "" }}
        />
        <EditHistory dataset={dataset} />
      </div>
    </Dialog>
  );
}
