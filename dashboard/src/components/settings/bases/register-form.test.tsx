import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { client } from "~/api/client";
import { ProblemError } from "~/api/problem";
import { aRegisteredBase } from "~/testing";
import { RegisterForm } from "./register-form";

const REFUSED = "`/models/vae.safetensors` is not in a folder that is allowed for base models";

beforeEach(() => localStorage.clear());
afterEach(() => vi.restoreAllMocks());

test("a VAE that the server refuses is said at its field, until it changes", async () => {
  const user = userEvent.setup();
  const post = vi.fn();
  post.mockRejectedValueOnce(
    new ProblemError({
      status: 422,
      type: "invalid_request",
      title: "Invalid request",
      errors: [{ field: "vae", message: REFUSED }],
    }),
  );
  post.mockResolvedValue({ data: aRegisteredBase() });
  vi.spyOn(client, "POST").mockImplementation(post as never);
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RegisterForm />
    </QueryClientProvider>,
  );
  const fill = async (label: string, text: string) => {
    const field = screen.getByLabelText(label);
    await user.clear(field);
    await user.click(field);
    await user.paste(text);
    return field;
  };
  await fill("Name", "noob");
  await fill("Path", "/models/noob.safetensors");
  const vae = await fill("VAE, if not its own", "vae.safetensors");
  const add = screen.getByRole("button", { name: "Add and check" });
  expect(screen.getByRole("alert").textContent).toContain("Enter an absolute path");
  expect(add).toHaveProperty("disabled", true);

  await fill("VAE, if not its own", "/models/vae.safetensors");
  await user.click(screen.getByLabelText("Prediction"));
  await user.click(await screen.findByRole("option", { name: "V-prediction with zero terminal SNR" }));
  await user.click(add);
  await waitFor(() => expect(vae.getAttribute("aria-invalid")).toBe("true"));
  expect(screen.getByRole("alert").textContent).toBe(`${REFUSED.replaceAll("`", "")}.`);

  await fill("VAE, if not its own", "/allowed/vae.safetensors");
  expect(screen.queryByRole("alert")).toBeNull();
  await user.click(add);
  await waitFor(() => expect(vae).toHaveProperty("value", ""));
  expect(post).toHaveBeenLastCalledWith("/api/v1/registered-base-models", {
    body: {
      name: "noob",
      source: "/models/noob.safetensors",
      prediction: "v-zero-snr",
      vae: "/allowed/vae.safetensors",
    },
  });
});
