// LoRAs that are being taken out of base models, or could not be: they belong to no model's page yet.
import { useQuery } from "@tanstack/react-query";
import { editsQuery } from "~/api/edits";
import { EditRow } from "./edit-row";
import { openExtractions } from "./form";

export function Extractions() {
  const { data: edits = [] } = useQuery(editsQuery());
  const shown = openExtractions(edits);
  if (shown.length === 0) return null;
  return (
    <ul aria-label="Extractions" className="mb-4 divide-y rounded-lg border bg-surface">
      {shown.map((edit) => (
        <EditRow key={edit.id} edit={edit} />
      ))}
    </ul>
  );
}
