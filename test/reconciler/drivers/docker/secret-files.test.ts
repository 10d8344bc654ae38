/** Secret files on this host: where they lie, who may read them, and what happens to them. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import type { Owner } from '../../../../reconciler/drivers/docker/labels.ts';
import {
  refreshSecretFiles,
  removeSecretFiles,
  sweepSecretFiles,
} from '../../../../reconciler/drivers/docker/secret-files.ts';
import type { SecretFile } from '../../../../reconciler/workload.ts';
import { openPlain } from '../../../helpers/secrets.ts';
import { tempDir, type TempDir } from '../../../helpers/temp.ts';

/** Only where it is matters here. */
const HERE = { name: 'here', info: { local: true } } as Engine;
const ELSEWHERE = { name: 'far', info: { local: false } } as Engine;

let owner: Owner;
let dir: TempDir;
const parent = (): string => `/dev/shm/slipway-${owner.id.slice(0, 8)}`;
beforeEach(() => {
  owner = { id: randomBytes(16).toString('hex'), home: '/nowhere' };
  dir = tempDir();
});
afterEach(() => {
  rmSync(parent(), { recursive: true, force: true });
  dir[Symbol.dispose]();
});

const file = (name: string): SecretFile => ({
  name,
  secret: { secret: 'keys', key: name, from: { file: dir.at(name) } },
});
const given = (...names: string[]) => ({ secretFiles: names.map(file), open: openPlain });
const refresh = (...names: string[]) => refreshSecretFiles(HERE, owner, 'slipway-x-1', given(...names));

test('lie in memory, behind a directory of this user alone', async () => {
  writeFileSync(dir.at('token'), 'one\n');
  writeFileSync(dir.at('__proto__'), 'odd');
  const made = await refresh('token', '__proto__');
  expect(made).toEqual({
    path: join(parent(), 'slipway-x-1'),
    secrets: ['one', 'odd'],
    changed: ['token', '__proto__'],
  });
  expect(readFileSync(join(made.path, 'token'), 'utf8')).toBe('one');
  expect(readFileSync(join(made.path, '__proto__'), 'utf8')).toBe('odd');
  expect(statSync(parent()).mode & 0o777).toBe(0o700);
  expect(statSync(join(made.path, 'token')).mode & 0o777).toBe(0o444);
});

test('change as a whole, when their value does, and not otherwise', async () => {
  writeFileSync(dir.at('token'), 'one');
  const { path } = await refresh('token');
  const { ino } = statSync(join(path, 'token'));
  expect((await refresh('token')).changed).toEqual([]);
  expect(statSync(join(path, 'token')).ino).toBe(ino);
  writeFileSync(dir.at('token'), 'two');
  expect((await refresh('token')).changed).toEqual(['token']);
  expect(readFileSync(join(path, 'token'), 'utf8')).toBe('two');
  expect(readdirSync(parent())).toEqual(['slipway-x-1']);
});

test('stay as they were when a secret cannot be read', async () => {
  writeFileSync(dir.at('token'), 'one');
  const { path } = await refresh('token');
  writeFileSync(dir.at('token'), 'two');
  await expect(refresh('token', 'missing')).rejects.toMatchObject({ code: 'secret-unavailable' });
  expect(readFileSync(join(path, 'token'), 'utf8')).toBe('one');
});

test('go with their instance, and after a crash with the next sweep', async () => {
  writeFileSync(dir.at('token'), 'one');
  const { path } = await refresh('token');
  await refreshSecretFiles(HERE, owner, 'slipway-y-1', given('token'));
  await removeSecretFiles(owner, 'slipway-x-1');
  expect(existsSync(path)).toBe(false);
  writeFileSync(join(parent(), '.slipway-z-1-abc'), 'a draft that a crash left');
  await sweepSecretFiles(owner, ['slipway-y-1']);
  expect(readdirSync(parent())).toEqual(['slipway-y-1']);
  await removeSecretFiles(owner, 'slipway-y-1');
  expect(existsSync(parent())).toBe(false);
  await sweepSecretFiles(owner, []);
  await Promise.all(
    ['a', 'b', 'c'].flatMap((name) => [
      refreshSecretFiles(HERE, owner, name, given('token')),
      removeSecretFiles(owner, 'b'),
    ]),
  );
  await sweepSecretFiles(owner, []);
  expect(existsSync(parent())).toBe(false);
});

test('are refused where somebody else could read them, or they would lie on disk', async () => {
  writeFileSync(dir.at('token'), 'one');
  const refused = expect.objectContaining({ code: 'isolation-unavailable' });
  await expect(refreshSecretFiles(ELSEWHERE, owner, 'slipway-x-1', given('token'))).rejects.toEqual(refused);
  mkdirSync(parent());
  chmodSync(parent(), 0o755);
  await expect(refresh('token')).rejects.toEqual(refused);
  rmSync(parent(), { recursive: true });
  symlinkSync(dirname(dir.at('x')), parent());
  await expect(refresh('token')).rejects.toEqual(refused);
  expect(readdirSync(dir.path)).toEqual(['token']);
});
