/** What `slipway import` makes of mcpctl's YAML. */
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { cli } from './cli.ts';
import { writeFiles } from './repo.ts';
import { tempDir } from './temp.ts';

export type Items = Readonly<Record<string, readonly object[]>>;

/** @returns specs by address, once with all that was told */
export async function imported(root: Items): Promise<{ out: string; err: string; specs: Record<string, unknown> }> {
  using dir = tempDir();
  writeFiles(dir.path, { 'mcpctl.json': JSON.stringify(root) });
  const { out, err, code } = await cli(['import', 'mcpctl.json'], { cwd: dir.path });
  expect(code).toBe(0);
  const { resources, issues } = parseFile('import.yaml', Buffer.from(out));
  expect([...issues, ...checkTogether(resources)]).toEqual([]);
  const documents = out === '' ? [] : parseAllDocuments(out).map((one) => one.toJS() as Written);
  return {
    out,
    err,
    specs: Object.fromEntries(documents.map((one) => [`${one.kind}/${one.metadata.name}`, one.spec])),
  };
}

export interface Written {
  kind: string;
  metadata: { name: string };
  spec: unknown;
}
