import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { SampleFields } from "./sample-fields";
import type { SampleDraft } from "./samples";

// It asks the server.
vi.mock("~/components/prompt/counter", () => ({ PromptCounter: () => null }));

interface Props {
  errors: Record<string, string>;
  onSamples: (samples: SampleDraft[]) => void;
}

function Form({ errors, onSamples }: Props) {
  const [values, setValues] = useState({ sample_prompts: "zora", samples: [] as SampleDraft[] });
  onSamples(values.samples);
  return (
    <SampleFields
      text={values.sample_prompts}
      samples={values.samples}
      onChange={(change) => setValues((before) => ({ ...before, ...change }))}
      errors={errors}
    />
  );
}

function setup(errors: Record<string, string> = {}) {
  const onSamples = vi.fn<(samples: SampleDraft[]) => void>();
  render(<Form errors={errors} onSamples={onSamples} />);
  return { user: userEvent.setup(), samples: () => onSamples.mock.lastCall?.[0] ?? [] };
}

test("a preview with its own settings is added, changed and removed", async () => {
  const { user, samples } = setup();
  await user.click(screen.getByRole("button", { name: "Add a preview with its own settings" }));
  await user.type(screen.getByLabelText("Prompt of preview 2"), "zora, wide");
  await user.type(screen.getByLabelText("Width of preview 2"), "100");
  expect(screen.getByText("Enter a multiple of 8.")).toBeDefined();
  expect(samples()).toMatchObject([{ prompt: "zora, wide", width: "100" }]);
  await user.click(screen.getByRole("button", { name: "Remove preview 2" }));
  expect(samples()).toEqual([]);
});

test("the server's errors stand at their preview", async () => {
  const { user } = setup({
    "sample_prompts[0]": "names a LoRA",
    "sample_prompts[1].lora_weight": "must be 1 for the kohya engine",
  });
  await user.click(screen.getByRole("button", { name: "Add a preview with its own settings" }));
  expect(screen.getByText("Names a LoRA.")).toBeDefined();
  const weight = screen.getByLabelText("LoRA weight of preview 2");
  expect(weight.getAttribute("aria-invalid")).toBe("true");
});
