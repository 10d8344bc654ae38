/** What a failed instance is quoted with: why it failed, rather than where. */
import { expect, test } from 'vitest';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import { lastLines } from '../../reconciler/rollout/last-words.ts';

const said = (text: string): Promise<string[]> => {
  const lines = text.split('\n').map((line) => `2026-01-01T00:00:00.000Z stderr ${line}`);
  const logs: Driver['logs'] = async function* () {
    yield* lines;
  };
  return lastLines({ logs } as Driver, 'Server/up', 'up-0');
};

test('a module that Node does not find', async () => {
  expect(
    await said(`node:internal/modules/cjs/loader:1424
  throw err;
  ^

Error: Cannot find module '/work/servers/hello.mjs'
    at Function._resolveFilename (node:internal/modules/cjs/loader:1421:15)
    at node:internal/main/run_main_module:36:49 {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v24.0.0`),
  ).toContain("Error: Cannot find module '/work/servers/hello.mjs'");
});

test('what a server writes in braces itself is kept', async () => {
  expect(await said('config is {\n  a: 1\n}')).toEqual(['config is {', '  a: 1', '}']);
});
