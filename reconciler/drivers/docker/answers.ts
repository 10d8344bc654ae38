/** What an engine's answers mean. */
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Engine } from './engine.ts';

/** How long an engine may take to answer: one that hangs must not hang us. */
export const ANSWER_MS = 30_000;

export function tookTooLong(): Error {
  return Object.assign(new Error(`no answer within ${ANSWER_MS / 1000} s`), { code: 'ETIMEDOUT' });
}

/** The HTTP status of an engine's refusal; undefined where it did not answer at all. */
export function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | undefined)?.statusCode;
}

const BROKEN_OFF = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT']);

/** Whether the engine could not be connected to, or broke off before it answered. */
export function isUnreachable(error: unknown): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return syscall === 'connect' || (typeof code === 'string' && BROKEN_OFF.has(code));
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

/** @throws SlipwayError engine-unreachable where the engine did not answer, or broke off; else what `work` throws */
export async function reached<T>({ name }: Engine, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    const why = `The engine ${name} does not answer: ${messageOf(error)}.`;
    throw new SlipwayError('engine-unreachable', why, { cause: error });
  }
}
