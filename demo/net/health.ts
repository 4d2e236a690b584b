import { request } from 'node:http';

export type HealthTarget = 'gateway' | 'app';

/** What a check asks the node: its gateway alone (healthy while the app is dead), or the app through the gateway. */
const paths: Record<HealthTarget, string> = { gateway: '/gateway-health', app: '/up' };

/** Failures in a row that eject a node, successes in a row that bring it back: the defaults of a GCP target pool. */
const threshold = 2;

/** One HTTP check on a connection of its own. */
export function ask(port: number, target: HealthTarget, timeoutMs: number): Promise<boolean> {
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

/** Checks one node at a steady interval, first at once, and keeps the verdict. A node begins healthy. */
export class HealthCheck {
  #healthy = true;
  /** Results in a row that contradict the verdict. */
  #contrary = 0;
  #round = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param check resolves to whether the node is fine; must settle within the interval
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

  /** Makes the node healthy at once and begins anew; the answer of a check under way no longer counts. */
  admit(): void {
    this.#contrary = 0;
    this.#set(true);
    clearTimeout(this.#timer);
    this.#run();
  }

  #run(): void {
    const round = ++this.#round;
    this.#timer = setTimeout(() => this.#run(), this.intervalMs);
    void this.check().then((fine) => {
      if (round !== this.#round) return;
      this.#contrary = fine === this.#healthy ? 0 : this.#contrary + 1;
      if (this.#contrary < threshold) return;
      this.#contrary = 0;
      this.#set(fine);
    });
  }

  #set(healthy: boolean): void {
    if (this.#healthy === healthy) return;
    this.#healthy = healthy;
    this.onVerdict();
  }
}
