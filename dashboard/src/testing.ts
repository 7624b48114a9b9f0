// Values that tests start from. Only tests import this.
import { vi } from "vitest";
import { fields } from "./api/fields";
import type { Item, Job, RegisteredBase } from "./api/types";

/** Hyperparameters at their defaults. */
const PARAMETERS = Object.fromEntries(
  Object.entries(fields.Parameters).map(([name, field]) => [name, field.default]),
) as unknown as Job["recipe"]["parameters"];

export function aJob(change: Partial<Job> = {}): Job {
  return {
    id: "01900000-0000-7000-8000-000000000001",
    phase: "queued",
    recipe: {
      engine: "native",
      base_model: "tiny-xl",
      name: "Zora",
      trigger_word: "zora",
      preset: "character",
      sample_prompts: ["portrait of zora"],
      parameters: { ...PARAMETERS, learning_rate: 1e-3, n_steps: 40, batch_size: 8, resolution: 128 },
    },
    dataset_id: "01900000-0000-7000-8000-000000000002",
    dataset_version_id: "01900000-0000-7000-8000-000000000003",
    provider: "local",
    priority: 0,
    n_attempts: 1,
    spend: { spent_micro_usd: 0, reserved_micro_usd: 0, rate_micro_usd: 0 },
    last_seq: 0,
    created_at: "2026-01-02T03:00:00Z",
    ...change,
  };
}

export function aRegisteredBase(change: Partial<RegisteredBase> = {}): RegisteredBase {
  return {
    name: "sdxl-base",
    source: "/models/sdxl.safetensors",
    from_settings: false,
    settings: {},
    state: "ready",
    class: "sdxl",
    native_resolution: 1024,
    size_bytes: 6_900_000_000,
    done_bytes: 0,
    n_files: 1,
    sha256: "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
    is_fetchable: false,
    copy: "none",
    created_at: "2026-01-02T03:00:00Z",
    ...change,
  };
}

/** A browser that keeps nothing: its storage is full, or forbidden. */
export function withoutStorage(): void {
  const refuse = () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  vi.stubGlobal("localStorage", {
    length: 0,
    key: () => null,
    getItem: () => null,
    setItem: refuse,
    removeItem: refuse,
  });
}

export function anItem(change: Partial<Item> = {}): Item {
  return {
    id: "i",
    file_name: "001.png",
    caption: "zora, smiling",
    split: "train",
    group: "",
    repeats: 1,
    regularization: false,
    has_mask: false,
    set_aside: false,
    width: 128,
    height: 96,
    size_bytes: 9000,
    sha256: "00",
    url: "/001.png",
    notes: [],
    ...change,
  };
}
