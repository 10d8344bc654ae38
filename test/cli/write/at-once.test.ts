/** Several who write at once: no change is lost. */
import { readdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { takeLock } from '../../../cli/write/lock.ts';
import { Desk } from '../../helpers/slipway.ts';
import { tempDir } from '../../helpers/temp.ts';
import { GITHUB } from './folder.ts';

test('a lock whose process is gone holds nobody up; one whose process lives is waited for', async () => {
  using dir = tempDir();
  const [path, { signal }] = [dir.at('a.lock'), new AbortController()];
  writeFileSync(path, JSON.stringify({ pid: 2 ** 22 + 1, started: '1' }));
  const order: string[] = [];
  const take = async (name: string): Promise<void> => {
    using lock = await takeLock(path, signal);
    expect(lock).toBeDefined();
    order.push(`${name} in`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} out`);
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(take));
  expect(order).toHaveLength(8);
  for (let index = 0; index < 8; index += 2) expect(order[index]?.[0]).toBe(order[index + 1]?.[0]);
  expect(readdirSync(dir.path)).toEqual([]);
});

test('many at once, in processes of their own: no change is lost', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  desk.push({
    'servers/github.yaml': GITHUB,
    'projects.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\n',
  });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const results = await Promise.all(
    names.map((name) => desk.slipway(['patch', 'project', 'dev', `metadata.labels.${name}=x`])),
  );
  expect(results.map(({ code, err }) => [code, err])).toEqual(names.map(() => [0, '']));
  const { out } = await desk.slipway(['get', 'project', 'dev', '--local', '-o', 'json']);
  expect((JSON.parse(out) as { metadata: { labels: object } }).metadata.labels).toEqual(
    Object.fromEntries(names.map((name) => [name, 'x'])),
  );
  expect(desk.files(desk.config).filter((name) => name.endsWith('-tmp'))).toEqual([]);
});
