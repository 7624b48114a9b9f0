// Uploading files. XMLHttpRequest, because fetch cannot tell how far an upload is.
import { ProblemError, toProblem } from "./problem";
import type { UploadReport } from "./types";

interface Sending {
  /** From 0 to 1. */
  onProgress: (share: number) => void;
  signal?: AbortSignal;
}

interface Options extends Sending {
  dataset: string;
  files: File[];
}

/** Uploads files to a dataset and returns the result for each. */
export function upload({ dataset, files, ...sending }: Options): Promise<UploadReport> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return postForm(`/api/v1/datasets/${dataset}/items`, form, sending);
}

/** Sends a form with files. */
export function postForm<T>(url: string, form: FormData, { onProgress, signal }: Sending): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) resolve(request.response as T);
      else reject(new ProblemError(toProblem(request.response, request.status)));
    };
    request.onerror = () => reject(new TypeError("network error"));
    request.onabort = () => reject(new DOMException("the upload was canceled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** All files of a drop, including those in folders, whose names begin with the folder: it is their group. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(entryFiles))).flat();
}

async function entryFiles(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    const path = entry.fullPath.replace(/^\//, "");
    return [path.includes("/") ? new File([file], path, { type: file.type }) : file];
  }
  if (!isDirectory(entry)) return [];
  const reader = entry.createReader();
  const children: FileSystemEntry[] = [];
  // A reader returns a directory in parts, with an empty part at the end.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) break;
    children.push(...part);
  }
  return (await Promise.all(children.map(entryFiles))).flat();
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
