// What can be chosen of a model: its name, its cover, and the version that it is used by.
import { useNavigate } from "@tanstack/react-router";
import { ImageIcon, PencilLine, Pin, PinOff } from "lucide-react";
import { useState } from "react";
import { useChooseOfModel } from "~/api/models";
import type { Model, ModelVersion } from "~/api/types";
import { DeleteButton } from "~/components/trash/delete-button";
import { Button } from "~/components/ui/button";
import { announce, announceError } from "~/components/ui/toast";
import { CoverDialog } from "./cover-dialog";
import { RenameDialog } from "./rename-dialog";

interface Props {
  model: Model;
  version: ModelVersion;
}

export function MoreOfModel({ model, version }: Props) {
  const [open, setOpen] = useState<"name" | "cover" | null>(null);
  return (
    <>
      <Button variant="ghost" onClick={() => setOpen("name")}>
        <PencilLine aria-hidden />
        Rename
      </Button>
      <Button variant="ghost" onClick={() => setOpen("cover")}>
        <ImageIcon aria-hidden />
        Cover
      </Button>
      {model.versions.length > 1 && version.stage !== "retired" && (
        <PinButton model={model} version={version} />
      )}
      <DeleteVersion model={model} version={version} />
      {open === "name" && <RenameDialog model={model} onClose={() => setOpen(null)} />}
      {open === "cover" && <CoverDialog model={model} onClose={() => setOpen(null)} />}
    </>
  );
}

/** Deletes the version that is shown, or the whole model. */
function DeleteVersion({ model, version }: Props) {
  const navigate = useNavigate();
  const leave = () => void navigate({ to: "/models" });
  const isLast = model.versions.length === 1;
  return (
    <>
      {!isLast && (
        <DeleteButton
          variant="ghost"
          items={[{ kind: "model_version", id: version.id }]}
          what={`Version ${version.version}`}
          label="Delete version"
          onDeleted={() => void navigate({ to: "/models/$modelId", params: { modelId: model.id } })}
        />
      )}
      <DeleteButton
        variant="ghost"
        items={[{ kind: "model", id: model.id }]}
        what={model.name}
        label="Delete model"
        onDeleted={leave}
      />
    </>
  );
}

function PinButton({ model, version }: Props) {
  const choose = useChooseOfModel(model.id);
  const isPinned = model.is_pinned && model.current_version_id === version.id;
  const change = () =>
    choose.mutate(
      {
        // A request replaces all choices. The cover is known by its file.
        ...(model.cover_artifact_id && { cover_artifact_id: model.cover_artifact_id }),
        ...(!isPinned && { version_id: version.id }),
      },
      {
        onSuccess: () =>
          announce(
            isPinned ? "The newest approved version is current" : `Version ${version.version} is current`,
          ),
        onError: (error) => announceError("The current version was not changed", error),
      },
    );
  return (
    <Button
      variant="ghost"
      onClick={change}
      disabled={choose.isPending}
      title={
        isPinned ? "Use the newest approved version instead" : "Use this version, whichever is approved later"
      }
    >
      {isPinned ? <PinOff aria-hidden /> : <Pin aria-hidden />}
      {isPinned ? "Unpin" : "Make current"}
    </Button>
  );
}
