// Starts the real server on a free port with its data in a fresh folder, and speaks to its API.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { APIRequestContext } from "@playwright/test";
import { openStorage, type Storage } from "./storage";

const ROOT = resolve(import.meta.dirname, "../..");
export const BINARY = resolve(process.env.MORPHEUS_BIN ?? join(ROOT, "target/debug/morpheus"));
const START_MS = 20_000;

export const ZORA = join(ROOT, "assets/demo-datasets/zora");

export interface Server {
  url: string;
  loginUrl: string;
  /** Where it keeps everything. */
  storage: Storage;
  stop: () => Promise<void>;
}

export async function startServer(): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), "morpheus-e2e-"));
  const storage = await openStorage(data);
  const args = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--json", ...storage.args];
  const child = spawn(BINARY, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...storage.env },
  });
  const stop = async () => {
    await ended(child);
    await storage.drop();
    await rm(data, { recursive: true, force: true });
  };
  try {
    const ready = await announced(child);
    return { url: ready.url.replace(/\/$/, ""), loginUrl: ready.login_url, storage, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The line in which the server says where it is. */
function announced(child: ChildProcess): Promise<{ url: string; login_url: string }> {
  return new Promise((done, fail) => {
    const complaints: string[] = [];
    const timer = setTimeout(() => fail(new Error(`no address within ${START_MS} ms`)), START_MS);
    const end = (error: Error) => {
      clearTimeout(timer);
      fail(error);
    };
    child.on("error", (error) => end(new Error(`${BINARY} cannot be started: ${error.message}`)));
    child.on("exit", (code) => end(new Error(`the server ended with ${code}:\n${complaints.join("\n")}`)));
    if (!child.stdout || !child.stderr) throw new Error("the server's output is not piped");
    createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!line.startsWith("{")) return;
      clearTimeout(timer);
      done(JSON.parse(line));
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", () => done());
    child.kill("SIGTERM");
  });
}

/** The files of a folder, as a person would drop them. */
export async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort().map((name) => join(folder, name));
}

export interface Seeded {
  dataset: string;
  job: string;
  model: string;
  version: string;
  generation: string;
}

const N_STEPS = 12;
const TRAINED_MS = 180_000;

/** Starts a job on `tiny-xl`; its id. */
export async function startJob(request: APIRequestContext, server: Server, job: object): Promise<string> {
  const made = await post(request, server, "/jobs", { base_model: "tiny-xl", trigger_word: "zora", ...job });
  return made.id;
}

/** A dataset, a finished job with its model, and a picture: made through the API, as quickly as can be. */
export async function seed(request: APIRequestContext, server: Server): Promise<Seeded> {
  const get = async (path: string) => (await request.get(`${server.url}/api/v1${path}`)).json();
  const dataset = await post(request, server, "/datasets", { name: "Zora" });
  const form = new FormData();
  for (const file of await filesOf(ZORA)) {
    form.append("files", new File([await readFile(file)], file.split("/").at(-1) ?? "file"));
  }
  const uploaded = await request.post(`${server.url}/api/v1/datasets/${dataset.id}/items`, {
    multipart: form,
    headers: { origin: server.url },
  });
  if (!uploaded.ok()) throw new Error(`the upload answered ${uploaded.status()}: ${await uploaded.text()}`);

  const job = await startJob(request, server, {
    dataset_id: dataset.id,
    name: "Zora",
    sample_prompts: [
      "lorelei ink comic portrait of zora, smiling, blue background",
      "pixel art portrait of zora",
    ],
    parameters: { n_steps: N_STEPS, sample_every_n_steps: 4, batch_size: 2 },
  });
  const deadline = Date.now() + TRAINED_MS;
  let state = await get(`/jobs/${job}`);
  while (!["succeeded", "failed", "cancelled", "stopped"].includes(state.phase)) {
    if (Date.now() > deadline) throw new Error(`the job is still ${state.phase} after ${TRAINED_MS} ms`);
    await new Promise((next) => setTimeout(next, 200));
    state = await get(`/jobs/${job}`);
  }
  if (state.phase !== "succeeded") throw new Error(`the job ended ${state.phase}: ${state.reason}`);
  const version = await get(`/model-versions/${state.model_version_id}`);
  const generation = await post(request, server, "/generations", {
    base_model: "tiny-xl",
    prompt: "lorelei ink comic portrait of zora",
    n_steps: 4,
    loras: [{ model_version_id: version.id, weight: 1 }],
  });
  await get(`/generations/${generation.id}?wait_seconds=60`);
  return {
    dataset: dataset.id,
    job,
    model: version.model_id,
    version: version.id,
    generation: generation.id,
  };
}

async function post(request: APIRequestContext, server: Server, path: string, data: unknown) {
  const answer = await request.post(`${server.url}/api/v1${path}`, { data, headers: { origin: server.url } });
  if (!answer.ok()) throw new Error(`POST ${path} answered ${answer.status()}: ${await answer.text()}`);
  return answer.json();
}
