/**
 * Parsing YAML costs about 0.7 ms a document, so what a blob parsed to is kept by its id, also between runs. Only clean
 * files are kept. The file can be deleted at any time.
 */
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { allSchemas } from '../schemas/json-schema.ts';
import type { Lock } from '../schemas/lock/lock.ts';
import type { Resource } from '../schemas/resource.ts';
import { readJson, writeAtomically } from './state.ts';

export interface ParseCache {
  get(id: string, path: string): readonly Resource[] | undefined;
  set(id: string, path: string, resources: readonly Resource[]): void;
  /** The same for the lock file, of which there is one. */
  lock(id: string): Lock | undefined;
  setLock(id: string, lock: Lock): void;
  /** Forgets all but the given files and writes what is left, if anything changed. */
  save(files: readonly { id: string; path: string }[]): void;
}

interface KnownLock {
  readonly id: string;
  readonly lock: Lock;
}

interface Stored {
  readonly schemas: string;
  readonly entries: Record<string, readonly Resource[]>;
  readonly lock?: KnownLock | undefined;
}

/** Put there by the build (`cli/build.ts`): making all schemas takes 50 ms and 10 MB, of each start. */
declare const BUILT_SCHEMAS: string | undefined;

/** Of all that YAML is checked by. */
export const schemasHash = (): string => hash('sha256', JSON.stringify(allSchemas()));

export function parseCache(path: string): ParseCache {
  // Results depend on the schemas: another version of Slipway starts afresh.
  const schemas = typeof BUILT_SCHEMAS === 'string' ? BUILT_SCHEMAS : schemasHash();
  const stored = (existsSync(path) ? readJson(path) : undefined) as Stored | undefined;
  let entries = new Map(Object.entries(stored?.schemas === schemas ? stored.entries : {}));
  let lock = stored?.schemas === schemas ? stored.lock : undefined;
  let dirty = false;
  const key = (id: string, file: string): string => `${id} ${file}`;
  return {
    get: (id, file) => entries.get(key(id, file)),
    set(id, file, resources) {
      entries.set(key(id, file), resources);
      dirty = true;
    },
    lock: (id) => (lock?.id === id ? lock.lock : undefined),
    setLock(id, parsed) {
      lock = { id, lock: parsed };
      dirty = true;
    },
    save(files) {
      const wanted = new Set(files.map((file) => key(file.id, file.path)));
      const kept = new Map([...entries].filter(([entry]) => wanted.has(entry)));
      if (!dirty && kept.size === entries.size) return;
      entries = kept;
      dirty = false;
      writeAtomically(path, JSON.stringify({ schemas, entries: Object.fromEntries(kept), lock } satisfies Stored));
    },
  };
}

/** For callers without a state directory. */
export function memoryParseCache(): ParseCache {
  const entries = new Map<string, readonly Resource[]>();
  let lock: KnownLock | undefined;
  return {
    get: (id, path) => entries.get(`${id} ${path}`),
    set: (id, path, resources) => void entries.set(`${id} ${path}`, resources),
    lock: (id) => (lock?.id === id ? lock.lock : undefined),
    setLock: (id, parsed) => void (lock = { id, lock: parsed }),
    save() {},
  };
}
