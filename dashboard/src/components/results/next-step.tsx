// The one thing to do next, as a button that begins it.
import { Feather, FlaskConical, ImagePlus, Palette, Repeat2, TextCursorInput } from "lucide-react";
import type { Advice, Job, ModelVersion } from "~/api/types";
import { ButtonLink } from "~/components/ui/button";

interface Props {
  advice: Advice;
  /** The job that trained it; not known yet, or deleted. */
  job: Job | undefined;
  version: ModelVersion | undefined;
}

export function NextStep({ advice, job, version }: Props) {
  switch (advice) {
    case "use":
    case "lower_weight":
      return version ? (
        <ButtonLink to="/playground" search={{ lora: version.id }} variant="primary">
          {advice === "use" ? <Palette aria-hidden /> : <Feather aria-hidden />}
          {advice === "use" ? "Draw with it" : "Try a lower weight"}
        </ButtonLink>
      ) : null;
    case "train_longer":
    case "train_shorter":
    case "lower_learning_rate":
      return job ? (
        <ButtonLink to="/jobs/new" search={{ again: job.id, change: CHANGES[advice] }} variant="primary">
          {advice === "lower_learning_rate" ? <FlaskConical aria-hidden /> : <Repeat2 aria-hidden />}
          {TRAIN[advice]}
        </ButtonLink>
      ) : null;
    case "add_pictures":
    case "improve_captions":
      return job ? (
        <ButtonLink to="/datasets/$datasetId" params={{ datasetId: job.dataset_id }} variant="primary">
          {advice === "add_pictures" ? <ImagePlus aria-hidden /> : <TextCursorInput aria-hidden />}
          {advice === "add_pictures" ? "Add pictures" : "Improve the captions"}
        </ButtonLink>
      ) : null;
  }
}

const CHANGES = {
  train_longer: "longer",
  train_shorter: "shorter",
  lower_learning_rate: "slower",
} as const;

const TRAIN = {
  train_longer: "Train longer",
  train_shorter: "Train shorter",
  lower_learning_rate: "Train with a lower rate",
} as const;
