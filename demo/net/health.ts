import { request } from 'node:http';

export type HealthTarget = 'gateway' | 'app';

/** What a check asks: the gateway alone, which is healthy while its app is dead, or the app through the gateway. */
const paths: Record<HealthTarget, string> = { gateway: '/gateway-health', app: '/up' };

/** Consecutive failures that eject a node, and successes that readmit it. Both are the defaults of a GCP health check. */
const threshold = 2;

/** Makes one HTTP check on a new connection; resolves to whether the answer is 200. */
export function checkHealth(port: number, target: HealthTarget, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const check = request(
      { host: '127.0.0.1', port, path: paths[target], agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    check.on('error', () => resolve(false));
    check.end();
  });
}

/** Checks one node at once and then at a steady interval, and keeps the verdict. A node starts as healthy. */
export class HealthCheck {
  #healthy = true;
  /** Consecutive results that contradict the verdict. */
  #contrary = 0;
  #round = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param check resolves to whether the node is healthy; must settle within the interval
   * @param onVerdict called when the verdict has changed
   */
  constructor(
    private readonly check: () => Promise<boolean>,
    private readonly intervalMs: number,
    private readonly onVerdict: () => void,
  ) {
    this.#run();
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  /** Declares the node healthy and starts over; a check that is still running no longer counts. */
  admit(): void {
    this.#contrary = 0;
    this.#set(true);
    clearTimeout(this.#timer);
    this.#run();
  }

  #run(): void {
    const round = ++this.#round;
    this.#timer = setTimeout(() => this.#run(), this.intervalMs);
    void this.check().then((healthy) => {
      if (round !== this.#round) return;
      this.#contrary = healthy === this.#healthy ? 0 : this.#contrary + 1;
      if (this.#contrary < threshold) return;
      this.#contrary = 0;
      this.#set(healthy);
    });
  }

  #set(healthy: boolean): void {
    if (this.#healthy === healthy) return;
    this.#healthy = healthy;
    this.onVerdict();
  }
}
