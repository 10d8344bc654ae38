/** Where things are kept, by what was said and what was not. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Io } from '../../cli/io.ts';
import { placeOf, stateDirOf } from '../../cli/place.ts';

const io = (env: Record<string, string>): Io => ({
  input: Readable.from([]),
  out: () => {},
  err: () => {},
  env,
  cwd: '/',
  signal: new AbortController().signal,
  paint: (_, text) => text,
  log: () => {},
});

test('keys never land in the folder that one stands in because a variable is empty', () => {
  const place = placeOf('https://example.com/config.git', '/');
  const usual = stateDirOf({}, place, io({ XDG_STATE_HOME: '/var/state' }));
  expect(usual).toMatch(/^\/var\/state\/slipway\//);
  expect(stateDirOf({}, place, io({ XDG_STATE_HOME: '/var/state', SLIPWAY_STATE_DIR: '' }))).toBe(usual);
  expect(stateDirOf({ stateDir: '' }, place, io({ XDG_STATE_HOME: '/var/state' }))).toBe(usual);
  expect(stateDirOf({}, place, io({ SLIPWAY_STATE_DIR: '/srv/state' }))).toBe('/srv/state');
});
