import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { RegisteredBase } from "~/api/types";
import { aRegisteredBase } from "~/testing";
import { BaseRow } from "./base-row";
import { usableKey } from "./state";

function show(change: Partial<RegisteredBase>): string {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <BaseRow base={aRegisteredBase(change)} />
    </QueryClientProvider>,
  );
  return screen.getByRole("listitem", { name: "sdxl-base" }).textContent ?? "";
}

const button = (name: string) => screen.queryByRole("button", { name });
const COPY = "Copy sdxl-base to the object store";
const REMOVE = "Remove sdxl-base";
const SET = "Set the prediction and VAE of sdxl-base";

test("a file of the server that is ready says what it is, and may be copied", () => {
  const text = show({});
  expect(text).toContain("Ready");
  expect(text).toContain("SDXL · 1024 px · 6.9 GB · this server only");
  expect(text).toContain("31e35c80fc48…");
  expect(text).toContain("where it takes 6.9 GB");
  expect(button(COPY)).not.toBeNull();
  expect(button(REMOVE)).not.toBeNull();
  expect(screen.queryByRole("progressbar")).toBeNull();
});

test("one that every machine can fetch needs no copy", () => {
  expect(show({ is_fetchable: true })).toContain("every machine can use it");
  expect(button(COPY)).toBeNull();
});

test("one that was merged here says so in place of an id", () => {
  const text = show({ source: "edit:0195d1a0-0000-7000-8000-000000000001", is_fetchable: true });
  expect(text).toContain("merged here; its file is kept");
  expect(text).not.toContain("0195d1a0");
  expect(button(COPY)).toBeNull();
});

test("while it is hashed it says how far that is", () => {
  const text = show({ state: "checking", done_bytes: 3_450_000_000, sha256: null });
  expect(text).toContain("Reading and hashing it: 3.5 GB of 6.9 GB");
  expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("50");
  expect(button("Check sdxl-base again")).toHaveProperty("disabled", true);
  expect(button(COPY)).toBeNull();
});

test("before its size is known, how far it is stays open", () => {
  const unknown = { class: null, native_resolution: null, size_bytes: null, sha256: null, n_files: 0 };
  expect(show({ state: "checking", ...unknown })).toContain("Inspecting it");
  expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBeNull();
});

test("while it is copied it says so, and stays ready", () => {
  const text = show({ copy: "copying", done_bytes: 690_000_000 });
  expect(text).toContain("Ready");
  expect(text).toContain("Copying it to the object store: 690 MB of 6.9 GB");
  expect(button(COPY)).toBeNull();
});

test("a failure is told in full, and a failed copy may be tried again", () => {
  const problem = "`/models/sdxl.safetensors` is no SDXL model: it has no `conditioner`";
  show({ state: "failed", problem, class: null, sha256: null });
  expect(screen.getByRole("alert").textContent).toBe(`${problem}.`);
  expect(button(COPY)).toBeNull();
});

test("a failed copy says why, and may be tried again", () => {
  show({ copy: "failed", problem: "the bucket is full" });
  expect(screen.getByRole("alert").textContent).toBe("The bucket is full.");
  expect(button(COPY)).not.toBeNull();
});

test("one from the settings cannot be removed here, and says where", () => {
  expect(show({ from_settings: true })).toContain(
    "To remove it, or to set its prediction and VAE, change it there",
  );
  expect(button(REMOVE)).toBeNull();
});

test("what it predicts is among its facts, and what one should know is noted", () => {
  const note =
    "nothing says what the U-Net predicts, but it behaves like v-prediction; it is taken as epsilon";
  const text = show({ prediction: "epsilon", notes: [note] });
  expect(text).toContain("1024 px · epsilon · 6.9 GB");
  const notes = screen.getByRole("list", { name: "Notes on sdxl-base" });
  expect(notes.textContent).toBe(`${note.replace("nothing", "Nothing")}.`);
});

test("what is set by hand is said", () => {
  const settings = { prediction: "v-zero-snr", vae: "/models/vae.safetensors" } as const;
  const text = show({ prediction: "v-zero-snr", said_by: "the setting", settings });
  expect(text).toContain("v-prediction with zero terminal SNR (set by hand)");
  expect(text).toContain("VAE /models/vae.safetensors");
});

test("prediction and VAE are set where the base was registered", async () => {
  const user = userEvent.setup();
  const put = vi.fn().mockResolvedValue({ data: aRegisteredBase() });
  vi.spyOn(client, "PUT").mockImplementation(put as never);
  show({
    prediction: "epsilon",
    said_by: "scheduler_config.json",
    measured: { method: 2, losses: [], is: "flow" },
  });
  await user.click(screen.getByRole("button", { name: SET }));
  const form = screen.getByRole("form", { name: "Prediction and VAE of sdxl-base" });
  expect(form.textContent).toContain(
    "It is taken as epsilon, as scheduler_config.json says. It behaves like rectified flow.",
  );
  await user.click(within(form).getByLabelText("VAE"));
  await user.paste(" /models/vae.safetensors ");
  await user.click(within(form).getByRole("button", { name: "Save and check" }));
  await waitFor(() => expect(screen.queryByRole("form")).toBeNull());
  expect(put).toHaveBeenCalledWith("/api/v1/registered-base-models/{name}/settings", {
    params: { path: { name: "sdxl-base" } },
    body: { vae: "/models/vae.safetensors" },
  });
});

test("one from the settings is set there too", () => {
  show({ from_settings: true });
  expect(screen.queryByRole("button", { name: SET })).toBeNull();
});

test("forms ask again when a base becomes ready or fetchable, not while its bytes are counted", () => {
  const checking = aRegisteredBase({ state: "checking" });
  expect(usableKey([{ ...checking, done_bytes: 5 }])).toBe(usableKey([checking]));
  for (const later of [[aRegisteredBase()], [aRegisteredBase({ is_fetchable: true })], []]) {
    expect(usableKey(later)).not.toBe(usableKey([checking]));
  }
});
