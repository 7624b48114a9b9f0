// Applies events to state. Pure: socket and cache are elsewhere.
import type { Job, JobEvent, LogLevel, Stamp } from "~/api/types";

export interface LogLine {
  seq: number;
  at: string;
  level: LogLevel;
  message: string;
}

export interface Stage {
  name: string;
  done: number;
  total: number;
}

const ENDED: Job["phase"][] = ["stopped", "cancelled", "failed", "succeeded"];

/** The job after an event. An already applied event changes nothing. */
export function reduceJob(job: Job, event: JobEvent): Job {
  if (event.seq <= job.last_seq) return job;
  const next = { ...job, last_seq: event.seq };
  switch (event.type) {
    case "phase_changed":
      return {
        ...next,
        phase: event.phase,
        reason: event.reason ?? null,
        started_at: job.started_at ?? (event.phase === "running" ? event.at : null),
        ended_at: ENDED.includes(event.phase) ? event.at : null,
      };
    case "step": {
      const { seq: _seq, at: _at, type: _type, attempt_id: _attempt, ...progress } = event;
      return { ...next, progress };
    }
    case "checkpoint":
      return { ...next, checkpoint_step: event.step };
    case "spend":
      return {
        ...next,
        spend: {
          ...job.spend,
          spent_micro_usd: event.spent_micro_usd,
          rate_micro_usd: event.rate_micro_usd,
          limit_micro_usd: event.limit_micro_usd ?? null,
        },
      };
    case "model_version_created":
      return { ...next, model_version_id: event.model_version_id };
    default:
      return next;
  }
}

/** The preparation stage after an event; none during training. */
export function reduceStage(stage: Stage | null, event: JobEvent): Stage | null {
  switch (event.type) {
    case "stage":
      return { name: event.name, done: event.done, total: event.total };
    case "step":
    case "attempt_ended":
    case "phase_changed":
      return null;
    default:
      return stage;
  }
}

/** Forecast of the total cost; none when no machine works on the job. */
export function reduceForecast(forecast: number | null, event: JobEvent): number | null {
  switch (event.type) {
    case "spend":
      return event.forecast_micro_usd ?? null;
    case "attempt_ended":
      return null;
    default:
      return forecast;
  }
}

/** Kinds of events that are numbers: the log does without them. */
export const NUMBERS = ["step", "pictures_seen", "spend"] as const satisfies JobEvent["type"][];

/** The line that an event writes into the log; nothing for those that are numbers. */
export function logLine(event: JobEvent): LogLine | null {
  const line = (level: LogLevel, message: string): LogLine => ({
    seq: event.seq,
    at: event.at,
    level,
    message,
  });
  switch (event.type) {
    case "log":
      return line(event.level, event.message);
    case "phase_changed": {
      const message = event.reason ? `${event.phase}: ${event.reason}` : event.phase;
      return line(event.phase === "failed" ? "error" : "info", message);
    }
    case "attempt_ended": {
      const wrong =
        event.outcome === "failed" || event.outcome === "lost" || event.outcome === "never_started";
      const outcome = event.outcome.replace("_", " ");
      return line(wrong ? "error" : "info", `attempt ${outcome}${event.detail ? `: ${event.detail}` : ""}`);
    }
    case "stage":
      return event.done === 0 || event.done === event.total
        ? line("info", event.total > 0 ? `${event.name} (${event.done}/${event.total})` : event.name)
        : null;
    case "checkpoint":
      return line("info", `checkpoint stored at step ${event.step}`);
    case "sample":
      return line("info", `sample stored at step ${event.step}: ${event.prompt}`);
    case "validation_loss":
      return line("info", `validation loss ${event.loss.toFixed(4)} after step ${event.step}`);
    case "judged":
      return line(
        "info",
        `step ${event.step} was found ${stamped(event.judgement.stamp)}: ${event.judgement.sentence}`,
      );
    case "validated":
      return line(
        event.verdict.passed ? "info" : "warning",
        event.verdict.passed
          ? "the file is healthy, and the test picture changes with it"
          : `checked, with remarks: ${event.verdict.checks
              .filter((check) => !check.passed)
              .map((check) => check.detail)
              .join("; ")}`,
      );
    case "step":
    case "pictures_seen":
    case "spend":
    case "model_version_created":
      return null;
    default:
      return line("info", unknown(event));
  }
}

/** `cannot_tell` in words. */
function stamped(stamp: Stamp): string {
  return stamp === "cannot_tell" ? "hard to tell" : stamp.replaceAll("_", " ");
}

/** An event of a server that is newer than this page. */
function unknown(event: never): string {
  const { type } = event as JobEvent;
  return `${type.replaceAll("_", " ")}: reload the page to see what this event says`;
}
