/** Reports a run of vitest to the program that started it: after every test, how far it is. */
import type { Reporter, TestCase, TestModule, TestSpecification } from 'vitest/node';

/** How far a run of tests is. */
export interface Progress {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Test files of each project. */
  readonly projects: Readonly<Record<string, { readonly done: number; readonly files: number }>>;
  /** What has just failed, if anything has. */
  readonly failure?: string;
}

export default class ProgressReporter implements Reporter {
  #passed = 0;
  #failed = 0;
  #skipped = 0;
  readonly #projects: Record<string, { done: number; files: number }> = {};

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const { project } of specifications)
      (this.#projects[project.name] ??= { done: 0, files: 0 }).files++;
    this.#send();
  }

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state === 'passed') this.#passed++;
    else if (state === 'skipped') this.#skipped++;
    else this.#failed++;
    this.#send(state === 'failed' ? `${test.module.relativeModuleId} › ${test.fullName}` : undefined);
  }

  onTestModuleEnd(module: TestModule): void {
    const project = this.#projects[module.project.name];
    if (project) project.done++;
    // A file that cannot be loaded has no tests that could fail.
    const isBroken = module.state() === 'failed' && module.children.allTests('failed').next().done === true;
    if (isBroken) this.#failed++;
    this.#send(isBroken ? `${module.relativeModuleId} as a whole` : undefined);
  }

  #send(failure?: string): void {
    const progress: Progress = {
      passed: this.#passed,
      failed: this.#failed,
      skipped: this.#skipped,
      projects: this.#projects,
      ...(failure !== undefined && { failure }),
    };
    process.send?.(progress);
  }
}
