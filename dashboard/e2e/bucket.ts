// A bucket, read as any S3 client reads it: requests signed with AWS Signature Version 4.
import { createHash, createHmac } from "node:crypto";

export interface Keys {
  id: string;
  secret: string;
}

const REGION = "us-east-1";

export class Bucket {
  readonly name: string;
  readonly #endpoint: string;
  readonly #keys: Keys;

  private constructor(endpoint: string, name: string, keys: Keys) {
    this.#endpoint = endpoint;
    this.name = name;
    this.#keys = keys;
  }

  /** An empty bucket of its own, by a route that only the tests' S3 server has. */
  static async create(endpoint: string, keys: Keys): Promise<Bucket> {
    const answer = await fetch(`${endpoint}/_test/buckets`, { method: "POST" });
    if (!answer.ok) throw new Error(`the S3 server made no bucket: ${answer.status}`);
    return new Bucket(endpoint, await answer.text(), keys);
  }

  /** All keys (the server lists up to a thousand at once, more than a test writes). */
  async keys(): Promise<string[]> {
    const listed = (await this.#get("", "list-type=2")).toString("utf8");
    if (listed.includes("<IsTruncated>true")) throw new Error("the bucket holds more than one list");
    return [...listed.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? "");
  }

  read(key: string): Promise<Buffer> {
    return this.#get(`/${key}`, "");
  }

  /** `key` and `query` hold only letters that need no escape. */
  async #get(key: string, query: string): Promise<Buffer> {
    const host = new URL(this.#endpoint).host;
    const at = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const headers = { host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": at };
    const names = Object.keys(headers).join(";");
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    const path = `/${this.name}${key}`;
    const request = ["GET", path, query, lines.join(""), names, "UNSIGNED-PAYLOAD"].join("\n");
    const scope = `${at.slice(0, 8)}/${REGION}/s3/aws4_request`;
    const digest = createHash("sha256").update(request).digest("hex");
    const signing = scope
      .split("/")
      .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${this.#keys.secret}`);
    const signature = hmac(signing, `AWS4-HMAC-SHA256\n${at}\n${scope}\n${digest}`).toString("hex");
    const authorization = `AWS4-HMAC-SHA256 Credential=${this.#keys.id}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    const { host: _, ...sent } = headers;
    const url = `${this.#endpoint}${path}${query && `?${query}`}`;
    const answer = await fetch(url, { headers: { ...sent, authorization } });
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }
}

function hmac(secret: string | Buffer, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}
