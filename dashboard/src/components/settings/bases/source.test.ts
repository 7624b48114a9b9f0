import { expect, test } from "vitest";
import {
  type Draft,
  draftErrors,
  EMPTY,
  isComplete,
  readSource,
  serverErrors,
  toRequest,
  toSource,
  vaeError,
  withoutSecrets,
} from "./source";

const HASH = "ab".repeat(32);

function aDraft(change: Partial<Draft>): Draft {
  return { ...EMPTY, name: "sdxl", ...change };
}

test("each kind makes the line that the server takes, without what was left empty", () => {
  expect(toSource(aDraft({ path: " /models/sdxl.safetensors " }))).toBe("/models/sdxl.safetensors");
  const url = "https://example.org/sdxl.safetensors?token=x";
  expect(toSource(aDraft({ kind: "url", url }))).toBe(url);
  expect(toSource(aDraft({ kind: "url", url, sha256: HASH.toUpperCase() }))).toBe(`${url}#sha256=${HASH}`);
  const hub = { kind: "hub", repository: "owner/name" } as const;
  expect(toSource(aDraft(hub))).toBe("hf:owner/name");
  expect(toSource(aDraft({ ...hub, revision: "refs/pr/1" }))).toBe("hf:owner/name@refs/pr/1");
  expect(toSource(aDraft({ ...hub, file: "a/b.safetensors" }))).toBe("hf:owner/name:a/b.safetensors");
  expect(toSource(aDraft({ ...hub, path: "/left/from/before" }))).toBe("hf:owner/name");
});

test("a line that is read makes the same line again", () => {
  for (const line of [
    "/models/sdxl.safetensors",
    "https://example.org/a.safetensors?token=x",
    `https://example.org/a.safetensors#sha256=${HASH}`,
    "hf:stabilityai/stable-diffusion-xl-base-1.0",
    "hf:owner/name@refs/pr/1:folder/file.safetensors",
  ]) {
    expect(toSource(aDraft(readSource(line) ?? {}))).toBe(line);
  }
  expect(readSource("sdxl.safetensors")).toBeNull();
  expect(readSource("ftp://example.org/a")).toBeNull();
});

test("addresses of pages on Hugging Face become its ids", () => {
  const read = (path: string) => toSource(aDraft(readSource(`https://huggingface.co/${path}`) ?? {}));
  expect(read("owner/name")).toBe("hf:owner/name");
  expect(read("owner/name/tree/main")).toBe("hf:owner/name");
  expect(read("owner/name/blob/v2/a/b.safetensors?x=1")).toBe("hf:owner/name@v2:a/b.safetensors");
  expect(read("owner/name/resolve/main/b.safetensors")).toBe("hf:owner/name:b.safetensors");
  expect(read("owner/name/discussions/1")).toBe("https://huggingface.co/owner/name/discussions/1");
});

test("what the server would refuse is said at its field", () => {
  const wrong = (change: Partial<Draft>) => Object.keys(draftErrors(aDraft(change)));
  for (const name of ["two words", "tiny-xl", "a/b", "x".repeat(81)]) {
    expect(wrong({ name }), name).toEqual(["name"]);
  }
  expect(wrong({ path: "models/sdxl.safetensors" })).toEqual(["path"]);
  for (const url of ["example.org/a", "ftp://a/b", "https:///x", "https://?x", "https://a/b#c"]) {
    expect(wrong({ kind: "url", url }), url).toEqual(["url"]);
  }
  expect(wrong({ kind: "url", url: "https://a/b", sha256: "abc" })).toEqual(["sha256"]);
  for (const repository of ["a", "a/b/c", "../b", "a/b c", "/b"]) {
    expect(wrong({ kind: "hub", repository }), repository).toEqual(["repository"]);
  }
  expect(wrong({ kind: "hub", repository: "a/b", revision: "a//b", file: "../c" })).toEqual([
    "revision",
    "file",
  ]);
});

test("empty fields are not wrong, and nothing is sent without those that must be filled", () => {
  expect(draftErrors(EMPTY)).toEqual({});
  expect(isComplete(aDraft({}))).toBe(false);
  expect(isComplete({ ...EMPTY, path: "/a" })).toBe(false);
  expect(isComplete(aDraft({ kind: "hub", path: "/a" }))).toBe(false);
  expect(isComplete(aDraft({ kind: "url", url: "https://a/b", sha256: "abc" }))).toBe(false);
  expect(isComplete(aDraft({ kind: "url", url: "https://a/b" }))).toBe(true);
  expect(isComplete(aDraft({ path: "/a", url: "wrong, and of another kind" }))).toBe(true);
});

test("the server's words on the source stand at the first field of its kind", () => {
  const errors = { name: "is taken", source: "is wrong" };
  expect(serverErrors("path", errors)).toEqual({ name: "is taken", path: "is wrong" });
  expect(serverErrors("url", errors)).toEqual({ name: "is taken", url: "is wrong" });
  expect(serverErrors("hub", { source: "is wrong" })).toEqual({ repository: "is wrong" });
  const own = { vae: "is not there", prediction: "is unknown" };
  expect(serverErrors("url", own)).toEqual(own);
});

test("what its owner says is sent, and nothing of it that was left empty", () => {
  const base = { name: "sdxl", source: "/models/sdxl.safetensors" };
  const draft = aDraft({ path: base.source });
  expect(toRequest(draft)).toEqual(base);
  expect(toRequest({ ...draft, prediction: "v-zero-snr", vae: " /models/vae.safetensors " })).toEqual({
    ...base,
    prediction: "v-zero-snr",
    vae: "/models/vae.safetensors",
  });
  const vae = "https://huggingface.co/owner/name/blob/main/sdxl_vae.safetensors";
  expect(toRequest({ ...draft, vae })).toEqual({ ...base, vae: "hf:owner/name:sdxl_vae.safetensors" });
});

test.each([
  ["", undefined],
  ["/models/vae.safetensors", undefined],
  ["https://example.org/vae.safetensors", undefined],
  ["hf:owner/name:vae.safetensors", undefined],
  ["models/vae.safetensors", "Enter an absolute path, an https:// address, or hf:OWNER/REPOSITORY:FILE."],
  ["hf:owner/name", "Name the file of the VAE: hf:OWNER/REPOSITORY:FILE."],
])("a VAE %j is said to be wrong as %j", (vae, error) => {
  expect(vaeError(vae)).toBe(error);
  expect(isComplete(aDraft({ path: "/a", vae }))).toBe(error === undefined);
});

test("what may be a secret in an address is not kept in the browser", () => {
  const url = "https://user:password@example.org/sdxl.safetensors?token=x";
  const kept = withoutSecrets(aDraft({ kind: "url", url, vae: url }));
  expect([kept.url, kept.vae]).toEqual(Array(2).fill("https://example.org/sdxl.safetensors"));
});
