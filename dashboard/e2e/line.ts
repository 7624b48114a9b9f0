// The line between a browser and a server, which a test can cut.
import { createServer, connect as dial, type Server as Listener, type Socket } from "node:net";
import type { Server } from "./server";

export class Line {
  /** Where the server is reached over this line. */
  readonly url: string;
  readonly #port: number;
  readonly #target: number;
  readonly #open = new Set<Socket>();
  #listener: Listener;

  private constructor(listener: Listener, port: number, target: number) {
    this.#listener = listener;
    this.#port = port;
    this.#target = target;
    this.url = `http://127.0.0.1:${port}`;
    listener.on("connection", (socket) => this.#join(socket));
  }

  static async to(server: Server): Promise<Line> {
    const listener = createServer();
    const port = await listening(listener, 0);
    return new Line(listener, port, Number(new URL(server.url).port));
  }

  /** Ends every connection, and takes no new one. */
  async cut(): Promise<void> {
    const closed = new Promise((done) => this.#listener.close(done));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  async mend(): Promise<void> {
    this.#listener = createServer((socket) => this.#join(socket));
    await listening(this.#listener, this.#port);
  }

  #join(near: Socket): void {
    const far = dial(this.#target, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}

function listening(listener: Listener, port: number): Promise<number> {
  return new Promise((done, fail) => {
    listener.once("error", fail);
    listener.listen(port, "127.0.0.1", () => {
      const address = listener.address();
      if (address === null || typeof address === "string") return fail(new Error("not a port"));
      done(address.port);
    });
  });
}
