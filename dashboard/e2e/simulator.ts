// The simulated provider as nobody who rents from it sees it: what it really charges, what really lives, its clock.
import type { APIRequestContext, APIResponse } from "@playwright/test";
import type { Provider } from "./server";

interface Pod {
  id: string;
  name: string;
  status: string;
  cost: number;
  billed_micro_usd: number;
}

interface State {
  now: string;
  accounts: { billed_micro_usd: number }[];
  pods: Pod[];
}

export class Simulator {
  readonly #request: APIRequestContext;
  readonly #provider: Provider;

  constructor(request: APIRequestContext, provider: Provider) {
    this.#request = request;
    this.#provider = provider;
  }

  async state(): Promise<State> {
    const answer = await this.#request.get(`${this.#provider.url}/__sim/state`);
    return answer.json();
  }

  /** What it has charged until now, in micro-dollars. */
  async bill(): Promise<number> {
    const { accounts } = await this.state();
    return accounts.reduce((sum, account) => sum + account.billed_micro_usd, 0);
  }

  /** Machines that are charged. */
  async living(): Promise<Pod[]> {
    const { pods } = await this.state();
    return pods.filter(({ status }) => status !== "TERMINATED");
  }

  /** Somebody orders a machine who is not Morpheus, with the account's key; its id. */
  async order(name: string, gpu: string): Promise<string> {
    // Its program never reaches anybody, and says nothing.
    const args = "agent --server http://127.0.0.1:9 --token none";
    const pod = { name, image: "somebody/else", args, gpu: { id: gpu, count: 1 } };
    const answer = await this.#account("POST", "/v2/pods", pod);
    const { id } = await answer.json();
    return id;
  }

  /** Ends a machine as the account's owner. */
  async end(id: string): Promise<void> {
    await this.#account("DELETE", `/v2/pods/${id}`);
  }

  async #account(method: string, path: string, data?: object): Promise<APIResponse> {
    const { url, key } = this.#provider;
    const headers = { authorization: `Bearer ${key}` };
    const answer = await this.#request.fetch(`${url}${path}`, { method, headers, ...(data && { data }) });
    if (!answer.ok())
      throw new Error(`${method} ${path} answered ${answer.status()}: ${await answer.text()}`);
    return answer;
  }

  /** Lets time pass at once, beside what passes by itself. */
  async pass(minutes: number): Promise<void> {
    await this.#request.post(`${this.#provider.url}/__sim/clock`, {
      data: { step_s: Math.floor(minutes * 60) },
    });
  }
}
