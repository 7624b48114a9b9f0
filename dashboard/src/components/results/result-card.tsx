// What a LoRA was found to be: stamp, sentence, pictures that show it, and one thing to do.
import type { EvidencePicture, Job, Judgement, ModelVersion } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { stripsOf } from "./evidence";
import { EvidenceStrips, moreLabel } from "./evidence-strips";
import { Measures } from "./measures";
import { NextStep } from "./next-step";
import { RubberStamp, stampMeaning } from "./stamps";

interface Props {
  title?: string;
  judgement: Judgement;
  pictures: EvidencePicture[];
  job: Job | undefined;
  version: ModelVersion | undefined;
  /** While a job still trains, there is nothing to do next. */
  isFinal?: boolean;
}

/** Strips that are shown at once. */
const FEW = 2;

export function ResultCard({ title = "Result", judgement, pictures, job, version, isFinal = true }: Props) {
  const strips = stripsOf(judgement, pictures);
  const [few, more] = [strips.slice(0, FEW), strips.slice(FEW)];
  return (
    <Panel title={title} aside={<span className="text-muted text-xs">{stampMeaning(judgement.stamp)}</span>}>
      <div className="flex flex-col gap-4">
        <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
          <RubberStamp stamp={judgement.stamp} />
          <p className="min-w-48 flex-1 break-words">{judgement.sentence}</p>
          {isFinal && <NextStep advice={judgement.advice} job={job} version={version} />}
        </div>
        {few.length > 0 && <EvidenceStrips strips={few} datasetId={job?.dataset_id} />}
        {(more.length > 0 || judgement.measures.length > 0) && (
          <details className="border-t pt-2">
            <summary className="cursor-pointer font-medium">Details</summary>
            <div className="mt-2 flex flex-col gap-4">
              {judgement.measures.length > 0 && <Measures judgement={judgement} />}
              {more.length > 0 && (
                <div>
                  <p className="eyebrow mb-2">{moreLabel(more.length)}</p>
                  <EvidenceStrips strips={more} datasetId={job?.dataset_id} />
                </div>
              )}
            </div>
          </details>
        )}
      </div>
    </Panel>
  );
}
