// A base model to register: where it comes from as fields to fill in and as the line of text that the server takes, and
// what its owner says of it.
import type { Prediction, RegisterBase } from "~/api/types";

export type Kind = "path" | "url" | "hub";

/** The fields as they were typed. Those of the other kinds stay as they are. */
export interface Draft {
  name: string;
  kind: Kind;
  path: string;
  url: string;
  sha256: string;
  repository: string;
  revision: string;
  file: string;
  /** What it predicts; that of its files, unless its owner says otherwise. */
  prediction: Prediction | "files";
  /** A VAE in place of its own, as the server takes it; empty for its own. */
  vae: string;
}

export type DraftField = Exclude<keyof Draft, "kind" | "prediction">;

export const EMPTY: Draft = {
  name: "",
  kind: "path",
  path: "",
  url: "",
  sha256: "",
  repository: "",
  revision: "",
  file: "",
  prediction: "files",
  vae: "",
};

const FIELDS: Record<Kind, [DraftField, ...DraftField[]]> = {
  path: ["path"],
  url: ["url", "sha256"],
  hub: ["repository", "revision", "file"],
};

const HUB_NAME = /^[A-Za-z0-9._-]+$/;
const SHA256 = /^[0-9a-f]{64}$/i;

/** The line of text; empty parts are left out. */
export function toSource(draft: Draft): string {
  const { kind, path, url, sha256, repository, revision, file } = trimmed(draft);
  if (kind === "path") return path;
  if (kind === "url") return sha256 === "" ? url : `${url}#sha256=${sha256.toLowerCase()}`;
  return `hf:${repository}${revision && `@${revision}`}${file && `:${file}`}`;
}

/** The request; what was left empty is left out. */
export function toRequest(draft: Draft): RegisterBase {
  const { name, prediction, vae } = trimmed(draft);
  return {
    name,
    source: toSource(draft),
    ...(prediction !== "files" && { prediction }),
    ...(vae !== "" && { vae: toVae(vae) }),
  };
}

/** The line of text for a VAE: the address of a page on Hugging Face is taken for its file. */
export function toVae(text: string): string {
  const source = readSource(text);
  return source?.kind === "hub" ? toSource({ ...EMPTY, ...source }) : text.trim();
}

/** The fields that a line of text fills in: that of the server, or the address of a page on Hugging Face. Null where
 * it is none of them. */
export function readSource(text: string): Partial<Draft> | null {
  const line = text.trim();
  const page = /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([^/?#]+\/[^/?#]+)\/?([^?#]*)/i.exec(line);
  if (page) {
    const [, repository = "", rest = ""] = page;
    const [, revision = "", file = ""] = /^(?:blob|resolve|tree)\/([^/]+)\/?(.*)$/.exec(rest) ?? [];
    if (rest === "" || revision !== "") {
      return { kind: "hub", repository, revision: revision === "main" ? "" : revision, file };
    }
  }
  const id = /^hf:([^@:]*)(?:@([^:]*))?(?::(.*))?$/.exec(line);
  if (id) {
    const [, repository = "", revision = "", file = ""] = id;
    return { kind: "hub", repository, revision, file };
  }
  if (/^https?:\/\//i.test(line)) {
    const [, url = line, sha256 = ""] = /^([^#]*)#sha256=([0-9a-f]{64})$/i.exec(line) ?? [];
    return { kind: "url", url, sha256 };
  }
  return line.startsWith("/") ? { kind: "path", path: line } : null;
}

/** Errors by field; an empty field has none. */
export function draftErrors(draft: Draft): Partial<Record<DraftField, string>> {
  const typed = trimmed(draft);
  const errors: Partial<Record<DraftField, string>> = {};
  for (const field of ["name", ...FIELDS[draft.kind], "vae"] as const) {
    const wrong = typed[field] === "" ? undefined : CHECKS[field](typed[field]);
    if (wrong) errors[field] = wrong;
  }
  return errors;
}

/** What the browser may store: the query of a URL (after ?) may be a secret. */
export function withoutSecrets(draft: Draft): Draft {
  return { ...draft, url: publicPart(draft.url), vae: publicPart(draft.vae) };
}

function publicPart(address: string): string {
  return address.replace(/[?].*$/s, "").replace(/\/\/[^/]*@/, "//");
}

/** Whether it can be sent. */
export function isComplete(draft: Draft): boolean {
  const typed = trimmed(draft);
  return (
    typed.name !== "" && typed[FIELDS[draft.kind][0]] !== "" && Object.keys(draftErrors(draft)).length === 0
  );
}

/** The server's errors, by the form field they belong to. */
export function serverErrors(
  kind: Kind,
  errors: Record<string, string>,
): Partial<Record<DraftField | "prediction", string>> {
  const same = ["name", "prediction", "vae"] as const;
  return {
    ...Object.fromEntries(
      same.flatMap((field) => (errors[field] === undefined ? [] : [[field, errors[field]]])),
    ),
    ...(errors.source !== undefined && { [FIELDS[kind][0]]: errors.source }),
  };
}

/** The server's rules, so that errors show up while typing. */
const CHECKS: Record<DraftField, (text: string) => string | undefined> = {
  name: (name) =>
    name.length > 80 || name === "tiny-xl" || !HUB_NAME.test(name)
      ? "Use 1 to 80 letters, digits, dots, dashes or underscores. The name tiny-xl is taken: it is built in."
      : undefined,
  path: (path) => (path.startsWith("/") ? undefined : "Enter an absolute path, starting with /."),
  url: (url) => {
    const scheme = /^([^:/?#]*):\/\//.exec(url)?.[1];
    if (scheme !== "https" && scheme !== "http") return "Start the URL with https://.";
    if (!/^https?:\/\/[^/?#]/.test(url))
      return "The URL has no host. Example: https://example.org/sdxl.safetensors.";
    return url.includes("#") ? "After #, only sha256= and 64 hexadecimal digits are allowed." : undefined;
  },
  sha256: (hash) => (SHA256.test(hash) ? undefined : "Enter 64 hexadecimal digits."),
  repository: (id) => {
    const parts = id.split("/");
    return parts.length === 2 && parts.every(isHubName)
      ? undefined
      : "Enter owner/repository, as Hugging Face shows it above the model.";
  },
  revision: (revision) =>
    revision.split("/").every(isHubName) ? undefined : "Enter a branch, a tag or a commit.",
  file: (file) =>
    file.split("/").some((part) => ["", ".", ".."].includes(part)) || /[\\?#%\p{Cc}]/u.test(file)
      ? "Enter a path within the repository, such as folder/model.safetensors."
      : undefined,
  vae: vaeError,
};

/** What is wrong with the name of a VAE's file. The server says the rest. */
export function vaeError(text: string): string | undefined {
  const vae = text.trim();
  const source = readSource(vae);
  if (vae === "") return undefined;
  if (!source) return "Enter an absolute path, an https:// address, or hf:OWNER/REPOSITORY:FILE.";
  if (source.kind === "hub" && !source.file) return "Name the file of the VAE: hf:OWNER/REPOSITORY:FILE.";
  return undefined;
}

function isHubName(name: string): boolean {
  return HUB_NAME.test(name) && name !== "." && name !== "..";
}

function trimmed(draft: Draft): Draft {
  const texts = Object.entries(draft).map(([field, text]) => [field, text.trim()]);
  return { ...draft, ...Object.fromEntries(texts) };
}
