/** `examples/agents` as a person would run it: the real program, and agents of both eras that come to its projects. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { client } from '../../gateway/helpers/gateway.ts';
import { modernClient } from '../../gateway/helpers/modern.ts';
import { Desk, type Running } from '../../helpers/slipway.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/agents', import.meta.url));

/** A file of it, as it stands there. */
export const inExample = (path: string): string => readFileSync(join(EXAMPLE, path), 'utf8');

/** One of each: with sessions, and without. */
export const ERAS = ['2025-11-25', '2026-07-28'] as const;
export type Era = (typeof ERAS)[number];

export type Agent = Awaited<ReturnType<typeof client>> | Awaited<ReturnType<typeof modernClient>>;

export interface Example extends AsyncDisposable {
  readonly desk: Desk;
  readonly running: Running;
  open(project: string, era: Era, token?: string): Promise<Agent>;
  /** What the audit log has of the last hour. */
  events<T>(...args: string[]): Promise<T[]>;
}

/** @param files besides those of the example */
export async function exampleUp(files: Readonly<Record<string, string>> = {}): Promise<Example> {
  const desk = new Desk();
  cpSync(EXAMPLE, desk.config, { recursive: true });
  desk.push(files, 'what agents see');
  const running = await desk.up();
  // A server that takes long to start is there only then.
  expect((await desk.sync()).code).toBe(0);
  return {
    desk,
    running,
    async open(project, era, token) {
      const url = `${await running.serving}/projects/${project}/mcp`;
      if (era === '2025-11-25') return client(url, token);
      return modernClient(url, token === undefined ? {} : { token });
    },
    async events<T>(...args: string[]) {
      const query = ['audit', 'query', '--state-dir', desk.state, '-o', 'json', '--since', '1h', ...args];
      return JSON.parse((await desk.slipway(query)).out) as T[];
    },
    [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose](),
  };
}
