/** Whose code runs for which hook: what Plugins inherit from one another. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HOOKS, resolvePlugins, type Hook, type Lineage } from '../../schemas/plugins.ts';

const plugins = (given: Record<string, Partial<Lineage>>): ReadonlyMap<string, Lineage> =>
  new Map(Object.entries(given).map(([name, one]) => [name, { extends: [], hooks: [], ...one }]));

test('a child comes before its parents; of sessions all hooks run, parents first', () => {
  const all = resolvePlugins(
    plugins({
      base: { hooks: ['onToolsList', 'onInitialize', 'onSessionCreate'] },
      child: { extends: ['base'], hooks: ['onToolsList', 'onSessionCreate'] },
    }),
  );
  expect(all.get('child')).toEqual({
    hooks: { onToolsList: ['child'], onInitialize: ['base'], onSessionCreate: ['base', 'child'] },
    conflicts: {},
  });
});

test('the same hook of two parents is a conflict, unless the child has it, or both have it from one ancestor', () => {
  const all = resolvePlugins(
    plugins({
      root: { hooks: ['onPromptGet', 'onSessionDestroy'] },
      a: { extends: ['root'], hooks: ['onToolsList'] },
      b: { extends: ['root'], hooks: ['onToolsList'] },
      torn: { extends: ['a', 'b'] },
      whole: { extends: ['a', 'b'], hooks: ['onToolsList'] },
    }),
  );
  expect(all.get('torn')?.conflicts).toEqual({ onToolsList: ['a', 'b'] });
  expect(all.get('whole')).toEqual({
    hooks: { onToolsList: ['whole'], onPromptGet: ['root'], onSessionDestroy: ['root'] },
    conflicts: {},
  });
});

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const anyPlugins = fc
  .array(fc.record({ extends: fc.subarray([...NAMES, 'gone']), hooks: fc.subarray([...HOOKS]) }), {
    minLength: NAMES.length,
    maxLength: NAMES.length,
  })
  .map((list) => new Map(list.map((one, at) => [NAMES[at] ?? '', one])));

/** All that a Plugin extends, by whatever way, itself included. */
function ancestors(name: string, all: ReadonlyMap<string, Lineage>, found = new Set<string>()): Set<string> {
  if (found.has(name) || !all.has(name)) return found;
  found.add(name);
  for (const parent of all.get(name)?.extends ?? []) ancestors(parent, all, found);
  return found;
}

test('whatever extends whatever, in circles too: all code that runs is of an ancestor that has the hook', () => {
  fc.assert(
    fc.property(anyPlugins, (all) => {
      const resolved = resolvePlugins(all);
      expect([...resolved.keys()].sort()).toEqual(NAMES);
      for (const [name, { hooks }] of resolved)
        for (const [hook, owners] of Object.entries(hooks) as [Hook, string[]][]) {
          expect(new Set(owners).size).toBe(owners.length);
          const chained = hook === 'onSessionCreate' || hook === 'onSessionDestroy';
          if (!chained) expect(owners).toHaveLength(1);
          if (all.get(name)?.hooks.includes(hook)) expect(owners.at(-1)).toBe(name);
          for (const owner of owners) {
            expect(all.get(owner)?.hooks).toContain(hook);
            expect(ancestors(name, all)).toContain(owner);
          }
        }
    }),
  );
});

test('without circles nothing of an ancestor is lost, and the order in which Plugins are written changes nothing', () => {
  fc.assert(
    fc.property(anyPlugins, (given) => {
      // Only to those before it.
      const all = new Map(
        [...given].map(([name, one], at) => [
          name,
          { ...one, extends: one.extends.filter((parent) => NAMES.indexOf(parent) < at) },
        ]),
      );
      const resolved = resolvePlugins(all);
      expect(resolvePlugins(new Map([...all].toReversed()))).toEqual(resolved);
      for (const [name, { hooks }] of resolved) {
        const family = [...ancestors(name, all)];
        for (const hook of HOOKS) {
          const having = family.filter((one) => all.get(one)?.hooks.includes(hook));
          expect(hooks[hook] !== undefined).toBe(having.length > 0);
          if (hook.startsWith('onSession')) expect([...(hooks[hook] ?? [])].sort()).toEqual(having.sort());
        }
      }
    }),
  );
});
