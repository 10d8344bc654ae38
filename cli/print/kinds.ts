/** All kinds, as `explain` lists them: what to call them, and what each is. */
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { LISTED } from '../select.ts';
import { table } from './table.ts';

interface KindRow {
  readonly name: string;
  readonly short: readonly string[];
  /** Absent for what is only listed: nobody writes it. */
  readonly kind?: string;
  readonly description: string;
}

const LISTS: Readonly<Record<keyof typeof LISTED, string>> = {
  instances: 'What runs, of all servers',
  orphans: 'What other Slipways left',
  proposals: 'What those ask for who may not push',
  serverattachments: 'Which server is in which project',
};

export function kindRows(): KindRow[] {
  const written = (Object.values(KINDS) as Kind[]).map(({ plural, short, kind, description }) => ({
    name: plural,
    short,
    kind,
    description: description.split(/\.\s|[.:;]/, 1)[0] ?? '',
  }));
  const names = Object.keys(LISTED) as (keyof typeof LISTED)[];
  const listed = names.map((name) => ({ name, short: LISTED[name].slice(1), description: LISTS[name] }));
  return [...written.sort((a, b) => (a.name < b.name ? -1 : 1)), ...listed];
}

export function kindTable(): string {
  const rows = kindRows().map(({ name, short, kind = '-', description }) => [
    name,
    short.join(',') || '-',
    kind,
    description,
  ]);
  return table(['name', 'short', 'kind', 'description'], rows);
}
