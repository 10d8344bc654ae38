/** What an engine's answers mean. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';

/** How long an engine may take to answer: one that hangs must not hang us. */
export const ANSWER_MS = 30_000;

/** The HTTP status of an engine's refusal; undefined where it did not answer at all. */
export function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | undefined)?.statusCode;
}

/** What an engine said, without the noise around it. */
export function messageOf(error: unknown): string {
  const { json, message } = error as { json?: { message?: string }; message?: string };
  return (json?.message ?? message ?? String(error)).trim();
}

/** @returns undefined where the engine has no such thing (404) */
export async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** How long a removal by somebody else may take. */
const REMOVAL_LOOKS = 100;
const LOOK_MS = 100;

/** Removes a container, whether it runs or not. That it is gone, or somebody removes it right now, is no error. */
export async function removeContainer({ docker }: Engine, id: string): Promise<void> {
  const container = docker.getContainer(id);
  try {
    await ifThere(container.remove({ force: true, v: true }));
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    for (let look = 0; look < REMOVAL_LOOKS; look++) {
      if (!(await ifThere(container.inspect()))) return;
      await delay(LOOK_MS);
    }
    throw error;
  }
}
