// Short names for the generated types.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type BaseModel = Schemas["BaseModel"];
export type CreateGeneration = Schemas["CreateGeneration"];
export type CreateJob = Schemas["CreateJob"];
export type Dataset = Schemas["Dataset"];
export type Generation = Schemas["Generation"];
export type Item = Schemas["Item"];
export type Job = Schemas["Job"];
export type JobEvent = Schemas["JobEvent"];
export type AnyJobEvent = Schemas["AnyJobEvent"];
export type LogLevel = Schemas["LogLevel"];
export type Metrics = Schemas["Metrics"];
export type Model = Schemas["Model"];
export type ModelVersion = Schemas["ModelVersion"];
export type Parameters = Schemas["Parameters"];
export type Phase = Schemas["Phase"];
export type Preset = Schemas["Preset"];
export type PresetInfo = Schemas["PresetInfo"];
export type Problem = Schemas["Problem"];
export type RefusedFile = Schemas["RefusedFile"];
export type Sampler = Schemas["Sampler"];
export type Split = Schemas["Split"];
export type Stage = Schemas["Stage"];
export type StepMetrics = Schemas["StepMetrics"];
export type UpdateItem = Schemas["UpdateItem"];
export type UploadReport = Schemas["UploadReport"];
export type Verdict = Schemas["Verdict"];
export type JobEstimate = Schemas["JobEstimate"];
export type Sample = Schemas["Sample"];
export type ApiToken = Schemas["ApiToken"];
