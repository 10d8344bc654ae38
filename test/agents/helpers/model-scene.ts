/** Models on this host, and what asks them: anew for each test of a file, and with a key that nobody may ever read. */
import { afterEach, beforeEach, expect } from 'vitest';
import { Llms } from '../../../gateway/llm/llm.ts';
import type { LlmEntry } from '../../../schemas/llm.ts';
import { Models } from '../../helpers/models.ts';

export const KEY = 'sk-not-for-logs-4711';

export interface ModelScene {
  models: Models;
  llms: Llms;
  /** As it lies where the config says. */
  key: string;
  /** But for what is said at the level debug. */
  logged: string[];
  entry(name: string, more?: Partial<LlmEntry>): LlmEntry;
  ask(prompt: string, more?: Partial<Parameters<Llms['complete']>[0]>): Promise<string | undefined>;
  statusOf(name: string): ReturnType<Llms['statuses']>[0] | undefined;
}

export function modelScene(): ModelScene {
  const scene = {
    entry: (name, more = {}) => ({
      name,
      type: 'openai-compatible',
      model: `${name}-1`,
      url: `${scene.models.url}/v1`,
      publicOnly: false,
      apiKey: { secret: 'keys', key: name, from: { env: 'KEY' } },
      isDefault: false,
      timeoutMs: 20_000,
      maxOutputTokens: 100,
      maxConcurrent: 4,
      ...more,
    }),
    ask: (prompt, more = {}) =>
      scene.llms.complete({ purpose: 'test', prompt, tier: 'fast', signal: AbortSignal.timeout(60_000), ...more }),
    statusOf: (name) => scene.llms.statuses().find((status) => status.name === name),
  } as ModelScene;
  beforeEach(async () => {
    scene.models = await Models.start();
    scene.key = KEY;
    scene.logged = [];
    scene.llms = new Llms({
      secrets: () => Promise.resolve(scene.key),
      log: (level, message, fields) => {
        if (level !== 'debug') scene.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
      },
    });
  });
  afterEach(async () => {
    scene.llms[Symbol.dispose]();
    await scene.models[Symbol.asyncDispose]();
    expect(JSON.stringify([scene.llms.statuses(), scene.logged])).not.toContain(KEY);
  });
  return scene;
}
