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
const SIMULATOR = resolve(process.env.RUNPOD_SIM_BIN ?? join(ROOT, "target/debug/runpod-sim"));
const START_MS = 20_000;

export const ZORA = join(ROOT, "assets/demo-datasets/zora");
/** A diffusers folder: the base model that is built in. */
export const TINY_XL = join(ROOT, "assets/tiny-xl");

export interface Server {
  url: string;
  /** Signs in whoever opens it, any number of times: it holds an API token. */
  loginUrl: string;
  /** Where it keeps everything. */
  storage: Storage;
  stop: () => Promise<void>;
}

/** The same, with an address that signs in as often as tests need it. */
export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const server = await launchServer(settings);
  try {
    return { ...server, loginUrl: `${server.url}/login?token=${await apiToken(server)}` };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Uses the printed login address up for a token. */
async function apiToken({ url, loginUrl }: Server): Promise<string> {
  const post = async (path: string, body: object, cookie = "") => {
    const headers = { "content-type": "application/json", cookie };
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  };
  const signedIn = await post("/login", { token: new URL(loginUrl).searchParams.get("token") });
  const [cookie] = (signedIn.headers.get("set-cookie") ?? "").split(";");
  const made = (await (await post("/api/v1/tokens", { name: "tests" }, cookie)).json()) as { secret: string };
  return made.secret;
}

/** Its login address is the printed one, which works once. */
export async function launchServer(settings: Record<string, string> = {}): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), "morpheus-e2e-"));
  const storage = await openStorage(data);
  const args = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--json", ...storage.args];
  const child = spawn(BINARY, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      MORPHEUS_BASE_FOLDERS: join(ROOT, "assets"),
      // Judging draws dozens of pictures; the test of it switches it on.
      MORPHEUS_JUDGE_SHARE: "0",
      ...storage.env,
      ...settings,
    },
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

/** The simulated provider's account; anything goes, both sides are told. */
const KEY = "rpa_SIMULATED0000000000000000000000000000";
export interface Provider {
  url: string;
  /** The account's. */
  key: string;
  /** What a server has to be told to rent there. */
  settings: Record<string, string>;
  stop: () => Promise<void>;
}

/** A simulated RunPod, whose machines run real agents, and whose clock is so many times as fast as ours. */
export async function startProvider(scale: number): Promise<Provider> {
  const clock = `scaled:${scale}`;
  const args = ["--listen", "127.0.0.1:0", "--clock", clock, "--key", KEY, "--program", BINARY];
  const child = spawn(SIMULATOR, args, { stdio: ["ignore", "ignore", "pipe"] });
  const stop = () => ended(child, "SIGINT");
  try {
    const url = await new Promise<string>((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`no simulator within ${START_MS} ms`)), START_MS);
      child.on("error", (error) => fail(new Error(`${SIMULATOR} cannot be started: ${error.message}`)));
      child.on("exit", (code) => fail(new Error(`the simulator ended with ${code}`)));
      if (!child.stderr) throw new Error("the simulator's output is not piped");
      createInterface({ input: child.stderr }).on("line", (line) => {
        const found = /simulated at (\S+)/.exec(line)?.[1];
        if (!found) return;
        clearTimeout(timer);
        done(found.replace(/\/$/, ""));
      });
    });
    const settings = {
      MORPHEUS_RUNPOD_KEY: KEY,
      MORPHEUS_RUNPOD_URL: url,
      MORPHEUS_RUNPOD_IMAGE: "morpheus/worker",
      MORPHEUS_RUNPOD_TIME_SCALE: String(scale),
    };
    return { url, key: KEY, settings, stop };
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

function ended(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", () => done());
    child.kill(signal);
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
  const { post } = apiOf(request, server);
  const made = await post("/jobs", { base_model: "tiny-xl", trigger_word: "zora", ...job });
  return made.id;
}

/** Speaks to a server's API as the page that is signed in. */
export function apiOf(request: APIRequestContext, server: Server) {
  const api = `${server.url}/api/v1`;
  const headers = { origin: server.url };
  const post = async (path: string, data: unknown) => {
    const answer = await request.post(`${api}${path}`, { data, headers });
    if (!answer.ok()) throw new Error(`POST ${path} answered ${answer.status()}: ${await answer.text()}`);
    return answer.json();
  };
  const get = async (path: string) => (await request.get(`${api}${path}`)).json();
  return { api, headers, post, get };
}

/** The pictures of Zora, uploaded; answers the dataset's id. */
export async function seedDataset(request: APIRequestContext, server: Server): Promise<string> {
  const { api, headers, post } = apiOf(request, server);
  const dataset = await post("/datasets", { name: "Zora" });
  const form = new FormData();
  for (const file of await filesOf(ZORA)) {
    form.append("files", new File([await readFile(file)], file.split("/").at(-1) ?? "file"));
  }
  const uploaded = await request.post(`${api}/datasets/${dataset.id}/items`, { multipart: form, headers });
  if (!uploaded.ok()) throw new Error(`the upload answered ${uploaded.status()}: ${await uploaded.text()}`);
  return dataset.id;
}

/** A dataset, a finished job with its model, and a picture: made through the API, as quickly as can be. */
export async function seed(request: APIRequestContext, server: Server): Promise<Seeded> {
  const { post, get } = apiOf(request, server);
  const dataset = await seedDataset(request, server);
  const job = await startJob(request, server, {
    dataset_id: dataset,
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
  const generation = await post("/generations", {
    base_model: "tiny-xl",
    prompt: "lorelei ink comic portrait of zora",
    n_steps: 4,
    loras: [{ model_version_id: version.id, weight: 1 }],
  });
  await get(`/generations/${generation.id}?wait_seconds=60`);
  return {
    dataset,
    job,
    model: version.model_id,
    version: version.id,
    generation: generation.id,
  };
}
