/** Every example is valid, plans, and plans empty once it is applied. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  asIfRunning,
  compile,
  directorySource,
  memoryParseCache,
  NOTHING,
  plan,
  preview,
} from '../reconciler/index.ts';
import { hasChanges } from '../schemas/plan.ts';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));
const signal = new AbortController().signal;
const empty = { applied: NOTHING, instances: [], failures: {} };

describe.each(readdirSync(EXAMPLES))('examples/%s', (name) => {
  test('tells its story', () => {
    expect(existsSync(join(EXAMPLES, name, 'README.md'))).toBe(true);
  });

  test('is valid, plans, and plans empty the second time', async () => {
    await using source = directorySource(join(EXAMPLES, name));
    const first = await preview(source, empty, memoryParseCache(), signal);
    expect(first.issues).toEqual([]);
    expect(first.plan?.guards).toEqual([]);
    expect(first.plan?.summary.create).toBe(first.desired.resources.length);
    const second = plan(compile(first.desired), asIfRunning(first.desired));
    expect(hasChanges(second)).toBe(false);
  });
});
