/** What the config says of how the gateway serves, as the gateway gets it. */
import { expect, test } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import { desired, resource } from '../helpers/config.ts';

const draftOf = (files: Readonly<Record<string, string>>) => compile(desired(files)).draft;
const server = (spec: object): string => resource('Server', 'tiny', { command: ['x'], ...spec });

test('how long lists are waited for: as the Gateway says, unless a Server says otherwise', () => {
  expect(draftOf({ 'a.yaml': server({}) })).toMatchObject({ gateway: { listTimeoutMs: 10_000 } });
  const both = draftOf({
    'a.yaml': server({ listTimeout: '2m' }),
    'g.yaml': resource('Gateway', 'g', { listTimeout: '500ms' }),
  });
  expect(both).toMatchObject({ gateway: { listTimeoutMs: 500 }, servers: { tiny: { listTimeoutMs: 120_000 } } });
});

test('instances that clients do not share: how many, how many of them ahead, and how long one is kept', () => {
  const { servers } = draftOf({
    'a.yaml': server({ sessions: 'isolated', maxInstances: 3, warm: 1, idleTimeout: '1m' }),
  });
  expect(servers['tiny']?.isolated).toEqual({ maxInstances: 3, warm: 1, idleMs: 60_000 });
  expect(draftOf({ 'a.yaml': server({}) }).servers['tiny']?.isolated).toBeUndefined();
  expect(() => draftOf({ 'a.yaml': server({ warm: 1 }) })).toThrow('means nothing with sessions shared');
});
