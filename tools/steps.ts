/**
 * Runs the steps of `npm test` and `npm run check`, several at a time, and says what runs, how far it is and what comes next.
 * A step's own output is shown when the step fails, so that the output of steps that run at the same time does not mix.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import type { Progress } from './progress.ts';
import { projectRoot } from './run.ts';

export interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** Lowest priority: it computes only, and gives way to steps that measure real time. @default false */
  readonly isBackground?: boolean;
  /** Its output is worth reading when all is well, too. @default false */
  readonly isShown?: boolean;
  /** Not run, for this reason. */
  readonly skipped?: string;
}

/** Longest time without a line, ms. */
const SPEAK_EVERY_MS = 10_000;

/** How long the output of an ended step is waited for, ms. */
const LAST_WORDS_MS = 5_000;

interface Running {
  readonly step: Step;
  readonly startedAt: number;
  readonly child: ChildProcess;
  progress?: Progress;
}

export interface RunnerOptions {
  /** How many steps there are in all. */
  readonly total: number;
  readonly print?: (line: string) => void;
}

export class Runner {
  passed = 0;
  failed = 0;
  readonly failures: string[] = [];
  readonly #total: number;
  readonly #print: (line: string) => void;
  readonly #startedAt = performance.now();
  readonly #running = new Set<Running>();
  #started = 0;
  #saidAt = performance.now();

  constructor({ total, print = console.log }: RunnerOptions) {
    this.#total = total;
    this.#print = print;
  }

  /** Runs each lane's steps one after the other, and all lanes at the same time. Resolves when all have ended. */
  async run(...lanes: readonly (readonly Step[])[]): Promise<void> {
    const ticker = setInterval(() => this.#tick(), 1_000);
    try {
      await Promise.all(lanes.map((lane) => this.#runLane(lane)));
    } finally {
      clearInterval(ticker);
    }
  }

  /** Prints the count, last of all. Returns the exit code: 1 if anything failed. */
  finish(): 0 | 1 {
    if (this.failures.length > 0) this.#say(`These steps failed: ${this.failures.join(', ')}.`);
    else this.#say('All steps are done.');
    this.#print(`\n${this.passed} passed, ${this.failed} failed`);
    return this.failed > 0 ? 1 : 0;
  }

  /** Ends what runs, because the program was told to end. */
  stop(signal: NodeJS.Signals): void {
    for (const { child } of this.#running) child.kill(signal);
  }

  async #runLane(lane: readonly Step[]): Promise<void> {
    for (const [i, step] of lane.entries()) {
      const next = lane[i + 1];
      const number = `Step ${++this.#started} of ${this.#total}`;
      if (step.skipped !== undefined) {
        this.#say(`${number}, ${step.name}, is skipped: ${step.skipped}`);
        continue;
      }
      this.#say(`${number} starts: ${step.name}.${next ? ` After it comes ${next.name}.` : ''}`);
      await this.#runStep(step);
    }
  }

  async #runStep(step: Step): Promise<void> {
    const startedAt = performance.now();
    const { code, output, progress } = await this.#spawn(step, startedAt);
    const isFine = code === 0;
    this.passed += (isFine ? 1 : 0) + (progress?.passed ?? 0);
    // A run of tests is no failure of its own where its failures are counted test by test.
    this.failed += (progress?.failed ?? 0) || (isFine ? 0 : 1);
    if (!isFine) this.failures.push(step.name);
    if (!isFine || step.isShown) this.#print(output.trimEnd());
    const tests = progress ? `, ${countsOf(progress)}` : '';
    const time = clock(performance.now() - startedAt);
    this.#say(`${step.name}: ${isFine ? 'passed' : `failed with exit code ${code}`} after ${time}${tests}.`);
  }

  #spawn(
    step: Step,
    startedAt: number,
  ): Promise<{ code: number; output: string; progress: Progress | undefined }> {
    const [command, ...args] = step.command;
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: projectRoot,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, ...step.env },
      });
      const running: Running = { step, startedAt, child };
      this.#running.add(running);
      if (step.isBackground && child.pid !== undefined)
        setPriority(child.pid, constants.priority.PRIORITY_LOW);
      const chunks: Buffer[] = [];
      const keep = (chunk: Buffer): void => void chunks.push(chunk);
      child.stdout!.on('data', keep);
      child.stderr!.on('data', keep);
      child.on('message', (message) => this.#receive(running, message as Progress));
      child.on('error', (error) => {
        this.#running.delete(running);
        reject(error);
      });
      const end = (code: number | null): void => {
        this.#running.delete(running);
        resolve({ code: code ?? 128, output: Buffer.concat(chunks).toString(), progress: running.progress });
      };
      child.on('close', end);
      // A process that the step has left behind may hold the pipes: the step has ended all the same.
      child.on('exit', (code) => setTimeout(end, LAST_WORDS_MS, code).unref());
    });
  }

  #receive(running: Running, progress: Progress): void {
    running.progress = progress;
    if (progress.failure !== undefined) this.#say(`A test failed: ${progress.failure}`);
  }

  #tick(): void {
    if (performance.now() - this.#saidAt < SPEAK_EVERY_MS || this.#running.size === 0) return;
    const parts = [...this.#running].map(({ step, startedAt, progress }) =>
      progress
        ? `${step.name}: ${countsOf(progress)}, ${filesOf(progress)}`
        : `${step.name}: since ${clock(performance.now() - startedAt)}`,
    );
    this.#say(`Running ${parts.join(' | ')}`);
  }

  #say(text: string): void {
    this.#saidAt = performance.now();
    this.#print(`[${clock(this.#saidAt - this.#startedAt)}] ${text}`);
  }
}

/** Minutes and seconds: `3:07`. */
function clock(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const countsOf = ({ passed, failed, skipped }: Progress): string =>
  `${passed} tests passed${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;

const filesOf = ({ projects }: Progress): string =>
  Object.entries(projects)
    .map(([name, { done, files }]) => `${done} of ${files} ${name} files`)
    .join(', ');

/** One of the scripts of package.json. */
export const script = (name: string, ...args: string[]): readonly [string, ...string[]] => [
  'npm',
  'run',
  '--silent',
  name,
  ...(args.length > 0 ? ['--', ...args] : []),
];
