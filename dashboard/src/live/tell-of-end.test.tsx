import { QueryClient } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { Job } from "~/api/types";
import { Page } from "~/components/ui/page";
import { ToastProvider } from "~/components/ui/toast";
import { forgetSeen } from "~/lib/just-finished";
import { aJob } from "~/testing";
import { tellOfEnd } from "./tell-of-end";

const SAMPLE = { artifact_id: "a", created_at: "2026-01-02T03:00:00Z", prompt: "", seed: 1 };

beforeEach(forgetSeen);

async function tell(job: Job) {
  const samples = [{ ...SAMPLE, step: 20, prompt_index: 0, url: "/picture.png" }];
  vi.spyOn(client, "GET").mockImplementation(((path: string) =>
    Promise.resolve({ data: path.endsWith("/samples") ? samples : job })) as never);
  const { container } = render(
    <ToastProvider>
      <Page title="Datasets">.</Page>
    </ToastProvider>,
  );
  const open = vi.fn();
  await act(() => tellOfEnd(new QueryClient(), job.id, open));
  return { container, open };
}

function hide(is_hidden: boolean) {
  vi.spyOn(document, "hidden", "get").mockReturnValue(is_hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("a job that ends is told on any page, with its picture and a way to it", async () => {
  const { open } = await tell(aJob({ phase: "succeeded" }));
  expect(await screen.findByText("Zora succeeded")).toBeTruthy();
  expect(document.querySelector("img")?.getAttribute("src")).toBe("/picture.png");
  await userEvent.setup().click(screen.getByRole("button", { name: "Open" }));
  expect(open).toHaveBeenCalledOnce();
});

test("a failure is told with its reason", async () => {
  await tell(aJob({ phase: "failed", reason: "the loss is not finite" }));
  expect(await screen.findByText("Zora failed")).toBeTruthy();
  expect(screen.getByText("The loss is not finite.")).toBeTruthy();
});

test("the tab counts what ended behind its back, until somebody looks", async () => {
  hide(true);
  await tell(aJob({ phase: "succeeded" }));
  expect(document.title).toBe("(1) Datasets · Morpheus");
  act(() => hide(false));
  expect(document.title).toBe("Datasets · Morpheus");
});

test("the browser notifies only where somebody switched that on", async () => {
  const shown = vi.fn();
  class Fake {
    static permission = "granted";
    onclick: (() => void) | null = null;
    constructor(title: string, options: { tag: string }) {
      shown(title, options.tag);
    }
    close() {}
  }
  vi.stubGlobal("Notification", Fake);
  hide(true);
  const job = aJob({ phase: "succeeded" });
  await tell(job);
  expect(shown).not.toHaveBeenCalled();
  localStorage.setItem("morpheus.notifications", "on");
  await tell(job);
  expect(shown).toHaveBeenCalledExactlyOnceWith("Zora succeeded", job.id);
  vi.unstubAllGlobals();
});
