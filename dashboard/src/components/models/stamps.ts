// The two things that a verdict says, which are never mixed: whether the file is healthy, and what it does.
import type { Verdict } from "~/api/types";
import { formatPlural } from "~/lib/format";

type Check = Verdict["checks"][number];

/** Checks of what the LoRA does; all others are of the file. */
const OF_THE_RESULT = ["picture_changes", "validation_loss", "train_probe_loss"];

export interface FileStamp {
  healthy: boolean;
  /** `File is healthy (5 checks)` */
  text: string;
  checks: Check[];
}

export function fileStamp({ checks }: Verdict): FileStamp {
  const ofFile = checks.filter(({ name }) => !OF_THE_RESULT.includes(name));
  const broken = ofFile.find(({ passed }) => !passed);
  return {
    healthy: broken === undefined,
    text: broken
      ? `File is broken: ${broken.detail}`
      : `File is healthy (${formatPlural(ofFile.length, "check")})`,
    checks: ofFile,
  };
}

export interface ResultLine {
  name: string;
  good: boolean;
  text: string;
}

/** A tenth of the range from black to white is seen at a glance. */
const CLEAR_CHANGE = 0.1;

/** What was measured of what the LoRA does, a sentence each; none of a file that is too broken to draw with. */
export function resultLines(verdict: Verdict): ResultLine[] {
  return verdict.checks.flatMap((check) => {
    const { name, passed: good } = check;
    return OF_THE_RESULT.includes(name) ? [{ name, good, text: sentence(check, verdict) }] : [];
  });
}

function sentence({ name, passed, detail }: Check, { picture_change, validation }: Verdict): string {
  if (name === "picture_changes" && picture_change != null) {
    const share = picture_change / 255;
    if (!passed) return `Barely changes the test picture (${percent(share)}): train longer`;
    return share >= CLEAR_CHANGE
      ? `Clearly changes the test picture (${percent(share)})`
      : `Changes the test picture (${percent(share)})`;
  }
  if (name === "validation_loss" && validation) {
    const change = mean(validation.after) / mean(validation.before) - 1;
    const which = `the ${formatPlural(validation.n_items, "picture")} set aside`;
    const how = `loss ${change > 0 ? "+" : "−"}${percent(Math.abs(change))}`;
    return passed
      ? `Closer than the base to ${which} (${how})`
      : `No closer than the base to ${which} (${how}): it may have learned its pictures by heart`;
  }
  const text = `${detail.charAt(0).toUpperCase()}${detail.slice(1)}`;
  return text;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** `22 %`; small shares keep a digit. */
function percent(share: number): string {
  const value = 100 * share;
  return `${value < 1 ? Number(value.toPrecision(1)) : Math.round(value)} %`;
}
