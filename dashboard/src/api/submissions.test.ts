import createClient from "openapi-fetch";
import { beforeEach, expect, test, vi } from "vitest";
import { withoutStorage } from "~/testing";
import type { paths } from "./schema";
import { submissions } from "./submissions";
import type { CreateJob } from "./types";

const HEADER = "Idempotency-Key";

beforeEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

/** A client whose requests are answered with these, one after the other; "lost" for no answer. */
function setup(...answers: (number | "lost")[]) {
  const keys: (string | null)[] = [];
  const fetch = vi.fn(async (request: Request) => {
    keys.push(request.headers.get(HEADER));
    const answer = answers.shift() ?? 201;
    if (answer === "lost") throw new TypeError("network error");
    return new Response("{}", { status: answer, headers: { "content-type": "application/json" } });
  });
  const client = createClient<paths>({ baseUrl: "http://localhost", fetch });
  client.use(submissions);
  const create = (name: string) => client.POST("/api/v1/datasets", { body: { name } }).catch(() => undefined);
  return { client, create, keys };
}

test("a request without an answer is sent again under its key", async () => {
  const { create, keys } = setup("lost", 503, 401, 201, 201);
  for (let n = 0; n < 5; n++) await create("Zora");
  expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(keys.slice(0, 4)).toEqual(Array(4).fill(keys[0]));
  // The answer came: who asks for the same once more wants another one.
  expect(keys[4]).not.toBe(keys[0]);
});

test("two clicks before the first answer are one", async () => {
  const { create, keys } = setup();
  await Promise.all([create("Zora"), create("Zora")]);
  expect(keys[0]).toBe(keys[1]);
});

test("another request has another key, and a refused one uses its key up", async () => {
  const { create, keys } = setup("lost", 422, 201);
  await create("Zora");
  await create("Max");
  await create("Max");
  expect(new Set(keys).size).toBe(3);
});

test("a job at other prices is the same job", async () => {
  const { client, keys } = setup("lost", 422, 201);
  const start = (estimate_hash: string) =>
    client
      .POST("/api/v1/jobs", {
        body: { dataset_id: "d", base_model: "tiny-xl", name: "Zora", estimate_hash } as CreateJob,
      })
      .catch(() => undefined);
  for (const hash of ["one", "two", "three"]) await start(hash);
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[0]);
});

test("a key outlives the page", async () => {
  const { create, keys } = setup("lost", 201);
  await create("Zora");
  vi.resetModules();
  const { submissions: reloaded } = await import("./submissions");
  const fetch = async (request: Request) => {
    keys.push(request.headers.get(HEADER));
    return new Response("{}", { status: 201 });
  };
  const client = createClient<paths>({ baseUrl: "http://localhost", fetch });
  client.use(reloaded);
  await client.POST("/api/v1/datasets", { body: { name: "Zora" } });
  expect(keys[1]).toBe(keys[0]);
});

test("what makes nothing has no key", async () => {
  const { client, keys } = setup();
  await client.POST("/api/v1/jobs/{id}/cancel", { params: { path: { id: "1" } } });
  await client.GET("/api/v1/datasets");
  expect(keys).toEqual([null, null]);
});

test("a browser that keeps nothing still sends a double click under one key", async () => {
  withoutStorage();
  const { create, keys } = setup("lost", 201, 201);
  for (let n = 0; n < 3; n++) await create("Zora");
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[0]);
});
