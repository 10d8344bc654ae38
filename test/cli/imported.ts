/** What `slipway import` makes of a file, checked as config. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run } from '../../cli/run.ts';
import { parseFile } from '../../schemas/parse.ts';

export interface Imported {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Specs by address. */
  readonly specs: Record<string, unknown>;
}

/** @param content none: there is no such file */
export async function imported(file: string, content: unknown): Promise<Imported> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-import-'));
  const said = { out: '', err: '' };
  try {
    if (content !== undefined)
      writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
    const code = await run(['import', file], {
      input: Readable.from([]),
      out: (text) => void (said.out += `${text}\n`),
      err: (text) => void (said.err += `${text}\n`),
      env: {},
      cwd: folder,
      signal: new AbortController().signal,
      paint: (_, text) => text,
      log: () => {},
    });
    expect(parseFile('import.yaml', Buffer.from(said.out)).issues).toEqual([]);
    const specs = parseAllDocuments(said.out).map((document) => {
      const { kind, metadata, spec } = document.toJS() as { kind: string; metadata: { name: string }; spec: unknown };
      return [`${kind}/${metadata.name}`, spec];
    });
    return { code, ...said, specs: said.out === '' ? {} : (Object.fromEntries(specs) as Record<string, unknown>) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
