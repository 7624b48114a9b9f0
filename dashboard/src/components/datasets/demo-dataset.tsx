// Begins with the pictures of the demo, for somebody who has none at hand.
import { useNavigate } from "@tanstack/react-router";
import { Images } from "lucide-react";
import { useCreateDemoDataset } from "~/api/datasets";
import { StartButton } from "~/components/ui/start-button";
import { announceError } from "~/components/ui/toast";

export function DemoDataset({ variant = "outline" }: { variant?: "outline" | "primary" }) {
  const navigate = useNavigate();
  const create = useCreateDemoDataset();
  return (
    <StartButton
      variant={variant}
      disabled={create.isPending || create.isSuccess}
      onStart={() =>
        create.mutate(undefined, {
          onSuccess: ({ id }) => void navigate({ to: "/datasets/$datasetId", params: { datasetId: id } }),
          onError: (error) => announceError("The demo dataset was not created", error),
        })
      }
    >
      <Images aria-hidden />
      {create.isPending ? "Adding the pictures…" : "Use the demo pictures"}
    </StartButton>
  );
}
