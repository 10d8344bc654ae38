/** What a plan shows of a change, and what it keeps to itself. */
import { expect, test } from 'vitest';
import { diffResources, sameResource } from '../../reconciler/diff.ts';
import type { Resource } from '../../schemas/resource.ts';
import { desired, memoryServer } from '../helpers/config.ts';

function a(spec: Record<string, unknown>, file = 'a.yaml'): Resource {
  const [resource] = desired({ [file]: memoryServer('a', 'v1', spec) }).resources;
  if (!resource) throw new Error('no resource');
  return resource;
}

const variable = (name: string, value: string) => ({ name, value });

test('where a resource was written does not matter', () => {
  expect(sameResource(a({}), a({}, 'moved/b.yaml'))).toBe(true);
  expect(sameResource(a({}), a({ description: 'x' }))).toBe(false);
  expect(sameResource(a({}), undefined)).toBe(false);
  expect(diffResources(a({}), a({}, 'moved/b.yaml'))).toEqual({ fields: [], patch: [] });
});

test('items of a list are named, so that moving one is no change', () => {
  const [one, two] = [variable('ONE', '1'), variable('TWO', '2')];
  expect(diffResources(a({ env: [one, two] }), a({ env: [two, one] })).fields).toEqual([]);
  expect(diffResources(a({ env: [one, two] }), a({ env: [one, variable('TWO', '3')] })).fields).toEqual([
    { path: 'spec.env.TWO.value', before: '2', after: '3', sensitive: false },
  ]);
});

test('what is new has no before, what is gone no after', () => {
  const { fields } = diffResources(a({ description: 'old' }), a({ replicas: 2 }));
  expect(fields).toEqual([
    { path: 'spec.description', before: 'old', sensitive: false },
    { path: 'spec.replicas', before: 1, after: 2, sensitive: false },
  ]);
  expect(diffResources(undefined, a({})).fields.every((field) => !('before' in field))).toBe(true);
  expect(diffResources(a({}), undefined).fields.every((field) => !('after' in field))).toBe(true);
});

test('arguments are told by their place', () => {
  const [before, after] = [a({}), { ...a({}), spec: { ...(a({}).spec as object), command: ['memory', 'v2', 'x'] } }];
  expect(diffResources(before, after).fields).toEqual([
    { path: 'spec.command.1', before: 'v1', after: 'v2', sensitive: false },
    { path: 'spec.command.2', after: 'x', sensitive: false },
  ]);
});

test('a value that looks secret is shown as changed, in the fields and in the patch, but not shown', () => {
  const [before, after] = ['hunter2-before', 'hunter2-after'].map((value) => a({ env: [variable('API_KEY', value)] }));
  const changed = diffResources(before, after);
  expect(changed.fields).toEqual([{ path: 'spec.env.API_KEY.value', before: '***', after: '***', sensitive: true }]);
  for (const change of [changed, diffResources(undefined, after), diffResources(before, undefined)]) {
    expect(change.fields.length).toBeGreaterThan(0);
    expect(JSON.stringify(change)).not.toContain('hunter2');
  }
});

test('a secret value stays masked where its variable moves in the list', () => {
  const secret = variable('DB_PASSWORD', 'hunter2');
  const moved = diffResources(a({ env: [secret] }), a({ env: [variable('A', '1'), secret, variable('B', '2')] }));
  expect(moved.patch.length).toBeGreaterThan(0);
  expect(JSON.stringify(moved)).not.toContain('hunter2');
});

test('the patch leads from the old to the new', () => {
  expect(diffResources(a({}), a({ replicas: 2 })).patch).toEqual([{ op: 'replace', path: '/spec/replicas', value: 2 }]);
});
