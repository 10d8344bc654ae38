/**
 * Parsing YAML costs about 0.7 ms a document, so what a blob parsed to is kept by its id, also between runs. Only clean
 * files are kept. The file can be deleted at any time.
 */
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { allSchemas } from '../schemas/json-schema.ts';
import type { Resource } from '../schemas/resource.ts';
import { readJson, writeAtomically } from './state.ts';

export interface ParseCache {
  get(id: string, path: string): readonly Resource[] | undefined;
  set(id: string, path: string, resources: readonly Resource[]): void;
  /** Forgets all but the given files and writes what is left, if anything changed. */
  save(files: readonly { id: string; path: string }[]): void;
}

interface Stored {
  readonly schemas: string;
  readonly entries: Record<string, readonly Resource[]>;
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
  let dirty = false;
  const key = (id: string, file: string): string => `${id} ${file}`;
  return {
    get: (id, file) => entries.get(key(id, file)),
    set(id, file, resources) {
      entries.set(key(id, file), resources);
      dirty = true;
    },
    save(files) {
      const wanted = new Set(files.map((file) => key(file.id, file.path)));
      const kept = new Map([...entries].filter(([entry]) => wanted.has(entry)));
      if (!dirty && kept.size === entries.size) return;
      entries = kept;
      dirty = false;
      writeAtomically(path, JSON.stringify({ schemas, entries: Object.fromEntries(kept) } satisfies Stored));
    },
  };
}

/** For callers without a state directory. */
export function memoryParseCache(): ParseCache {
  const entries = new Map<string, readonly Resource[]>();
  return {
    get: (id, path) => entries.get(`${id} ${path}`),
    set: (id, path, resources) => void entries.set(`${id} ${path}`, resources),
    save() {},
  };
}
