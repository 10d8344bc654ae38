/** The scripts of one gateway: the threads that they run on, and what is counted of them. */
import { counter, Durations, histogram, type MetricFamily } from '../../schemas/metrics.ts';
import { OUTCOMES, type CallOutcome } from '../metrics.ts';
import { Workers, type Task } from '../workers.ts';
import type { Ended } from './sandbox.ts';

/** A script holds its thread while it waits for tools, so they are no others' (state.workers): those tools may need one, too. */
const MOST = 4;

/** From a few calls of quick tools to the longest that can be allowed (s). */
const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600];

export class Scripts implements AsyncDisposable {
  readonly #workers = new Workers({ most: MOST });
  readonly #durations = new Durations(BOUNDS);
  readonly #outcomes: Record<CallOutcome, number> = { ok: 0, error: 0, timeout: 0, cancelled: 0, failed: 0 };

  /** @throws as {@link Workers.run} does */
  run(task: Omit<Task, 'name'>): Promise<Ended> {
    return this.#workers.run({ ...task, name: 'script' }) as Promise<Ended>;
  }

  /** @param began as `performance.now()` gave it */
  ended(outcome: CallOutcome, began: number): void {
    this.#outcomes[outcome]++;
    this.#durations.observe((performance.now() - began) / 1000);
  }

  families(): MetricFamily[] {
    const duration = 'slipway_gateway_script_duration_seconds';
    return [
      counter(
        'slipway_gateway_scripts_total',
        'Scripts of agents that were run, by what became of them.',
        OUTCOMES.map((outcome) => ({ labels: { outcome }, value: this.#outcomes[outcome] })),
      ),
      histogram(duration, 'How long they took, with the calls that they made.', this.#durations.values(duration, {})),
    ];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#workers[Symbol.asyncDispose]();
  }
}
