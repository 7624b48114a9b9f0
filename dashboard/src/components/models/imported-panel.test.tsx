import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { asImport, importForm } from "~/api/models";
import type { Imported } from "~/api/types";
import { ImportedPanel } from "./imported-panel";

const imported: Imported = {
  format: "diffusers",
  kinds: [
    { kind: "lora", n_modules: 66 },
    { kind: "locon", n_modules: 2 },
  ],
  n_modules: 68,
  rank_min: 4,
  rank_max: 16,
  left_out: [{ reason: "not known", n: 124, examples: ["unet.weird.0"], needs_consent: true }],
  allow_partial: true,
  base_class: "sdxl",
  trigger_words: ["zora", "ink"],
  source: "https://example.com",
};

test("what is applied, what is not and why, and where it is from", () => {
  render(<ImportedPanel imported={imported} />);
  const panel = screen.getByRole("region", { name: "Imported file" });
  expect(panel.textContent).toContain("Imported, not judged");
  expect(panel.textContent).toContain("66 modules of LoRA, 2 modules of LoCon; diffusers' names");
  expect(panel.textContent).toContain("4 to 16");
  expect(panel.textContent).toContain("zora, ink");
  expect(panel.textContent).toContain("https://example.com");
  const left = screen.getByRole("region", { name: "Not applied" });
  expect(left.textContent).toContain("124 are not known: unet.weird.0 and 123 more");
});

test("of a file that is applied as a whole, nothing is said to be missing", () => {
  render(<ImportedPanel imported={{ ...imported, left_out: [] }} />);
  expect(screen.queryByRole("region", { name: "Not applied" })).toBeNull();
});

test("an import sends what was filled in, and a yes only where one was given", () => {
  const file = new File(["x"], "ink.safetensors");
  const wanted = {
    file,
    config: null,
    base_model: "sdxl",
    name: " ",
    trigger_words: " ink ",
    source: "",
    license: "",
  };
  const sent = [...importForm({ ...wanted, allow_partial: false }).keys()];
  expect(sent).toEqual(["base_model", "trigger_words", "file"]);
  const form = importForm({ ...wanted, allow_partial: true });
  expect(form.get("allow_partial")).toBe("true");
  expect(form.get("trigger_words")).toBe("ink");
});

test("a folder of PEFT is its LoRA with its configuration", () => {
  const [lora, config, zip] = ["adapter_model.safetensors", "adapter_config.json", "ink.zip"].map(
    (name) => new File(["x"], name),
  ) as [File, File, File];
  expect(asImport([config, lora])).toEqual({ file: lora, config });
  expect(asImport([zip])).toEqual({ file: zip, config: null });
  expect(asImport([])).toEqual({ file: null, config: null });
  const wanted = { base_model: "sdxl", name: "", trigger_words: "", source: "", license: "" };
  const form = importForm({ ...wanted, file: lora, config, allow_partial: false });
  expect([...form.keys()]).toEqual(["base_model", "config", "file"]);
});
