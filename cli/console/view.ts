/** The console on a terminal, by Ink. What is shown is the model's; here is only where on the screen. */
import { Box, Text, useInput, useWindowSize, type Key } from 'ink';
import { createElement as h, useSyncExternalStore, type ReactNode } from 'react';
import { plain } from '../print/plain.ts';
import { selectedAt, TABS, type Model } from './model.ts';
import { headline, rowsOf, type Row, type Tone } from './rows.ts';

/** Where the model is kept: React asks, and is told when there is another. */
export interface Store {
  subscribe(listener: () => void): () => void;
  model(): Model;
  /** @param page how many rows fit */
  press(key: string, page: number): void;
}

const COLOURS: Readonly<Record<Tone, string>> = { good: 'green', bad: 'red', busy: 'yellow', quiet: 'gray' };

const HELP = [
  '1 2 3, Tab      servers, calls, syncs',
  '↑ ↓ k j         another row; PgUp PgDn, g G: further',
  'Enter           look into it, and back; PgUp PgDn move in it',
  '/               only rows that contain a text; Esc: all',
  'space           hold the calls still, and let them go on',
  'a               all that the audit log holds, or only what clients asked for',
  'o               older calls',
  'p               what would change now: the plan',
  's               look at the config repo now',
  'q, Ctrl-C       leave',
];

/** Lines that are not the rows': headline, tabs, heads of the columns, keys. */
const AROUND = 6;

export function Console({ store, colour }: { store: Store; colour: boolean }): ReactNode {
  const model = useSyncExternalStore(store.subscribe, store.model);
  const { rows: height, columns } = useWindowSize();
  const { head, rows } = rowsOf(model);
  const keys = rows.map(({ key }) => key);
  const room = Math.max(3, height - AROUND);
  const split = model.open || (model.tab === 'syncs' && model.plan !== undefined);
  const page = split ? Math.max(2, Math.floor(room / 2) - 1) : room;
  useInput((input, key) => {
    for (const name of namesOf(input, key)) store.press(name, page);
  });
  const at = selectedAt(model, keys);
  const line = (text: string, props: object = {}, key?: string): ReactNode =>
    h(Text, { ...(key === undefined ? {} : { key }), wrap: 'truncate-end', ...props }, text === '' ? ' ' : text);
  const toned = (tone: Tone | undefined): object => (colour && tone ? { color: COLOURS[tone] } : {});
  const below = split ? lower(model, rows[at]) : undefined;
  return h(
    Box,
    { flexDirection: 'column', width: columns, height },
    ...headline(model).map(({ text, tone }, n) => line(text, { ...toned(tone), bold: n === 0 }, `head${n}`)),
    line(tabs(model), { key: 'tabs', inverse: true }),
    model.help
      ? h(Box, { key: 'help', flexDirection: 'column', flexGrow: 1 }, ...HELP.map((text) => line(text, {}, text)))
      : h(
          Box,
          { key: 'body', flexDirection: 'column', flexGrow: 1 },
          line(`  ${head}`, { bold: true, key: 'columns' }),
          ...windowOf(rows, at, page).map((row) => {
            const isSelected = row.key === keys[at];
            return line(
              `${isSelected ? '›' : ' '} ${row.text}`,
              { ...toned(row.tone), inverse: isSelected && colour },
              row.key,
            );
          }),
          ...(below ? [lowerPart(below, model.scroll, room - page - 1, line)] : []),
        ),
    line(footer(model), { key: 'foot', dimColor: true }),
  );
}

type Line = (text: string, props?: object, key?: string) => ReactNode;

/** The rows around the selected one that fit. */
function windowOf(rows: readonly Row[], at: number, page: number): readonly Row[] {
  const first = Math.max(0, Math.min(at - Math.floor(page / 2), rows.length - page));
  return rows.slice(first, first + page);
}

/** What is told below the rows. */
function lower(model: Model, row: Row | undefined): { title: string; lines: readonly string[] } {
  if (!model.open) return { title: 'plan', lines: model.plan ?? [] };
  return { title: (row?.text ?? '').trim(), lines: row?.details() ?? [] };
}

function lowerPart(
  { title, lines }: { title: string; lines: readonly string[] },
  scroll: number,
  room: number,
  line: Line,
): ReactNode {
  const from = Math.min(scroll, Math.max(0, lines.length - room));
  return h(
    Box,
    { key: 'lower', flexDirection: 'column' },
    line(`── ${title} `.padEnd(60, '─'), { dimColor: true }),
    ...lines.slice(from, from + room).map((text, n) => line(plain(text), {}, String(n))),
  );
}

function tabs({ tab, all, paused }: Model): string {
  const names = TABS.map((name, n) => {
    const title = name === 'calls' && all ? 'audit' : name;
    return name === tab ? `[${n + 1} ${title}]` : ` ${n + 1} ${title} `;
  });
  return `${names.join(' ')}${paused ? '  held' : ''}`;
}

function footer({ typing, filter, trouble, older, tab }: Model): string {
  if (typing) return `/${filter}▏`;
  const said = Object.values(trouble)[0];
  const shown = filter === '' ? '' : `/${filter}  `;
  const more = tab === 'calls' && older ? ' · o older' : '';
  return said === undefined ? `${shown}? help · / filter · Enter look into it${more} · q leave` : plain(said);
}

/** Keys by their names, or their characters: who types fast has several in one go. */
function namesOf(input: string, key: Key): string[] {
  if (key.ctrl && input === 'c') return ['ctrl-c'];
  if (key.upArrow) return ['up'];
  if (key.downArrow) return ['down'];
  if (key.backspace || key.delete) return ['backspace'];
  const named = (['pageUp', 'pageDown', 'home', 'end', 'return', 'escape', 'tab'] as const).find((name) => key[name]);
  return named ? [named] : [...input].map((character) => (character === '\r' ? 'return' : character));
}
