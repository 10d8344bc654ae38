/** Man pages, in the macros of man(7). */
import type { Option as CommanderOption } from 'commander';
import { pages, type Page } from './pages.ts';

const EXIT: readonly (readonly [string, string])[] = [
  ['0', 'It went well.'],
  ['1', 'It failed; stderr tells why and what to do.'],
  ['2', 'There are changes (plan, diff).'],
  ['3', 'A guard blocks the change.'],
  ['64', 'The command was used in a wrong way.'],
  ['130', 'It was interrupted.'],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['SLIPWAY_STATE_DIR', 'The state directory, where --state-dir is not given.'],
  ['SLIPWAY_TOKEN', 'The token for --server, where --token is not given.'],
  ['SLIPWAY_DEBUG', 'Where not empty, log lines of level debug are shown, and where errors happened.'],
  ['NO_COLOR', 'Where not empty, nothing is coloured.'],
  ['EDITOR, VISUAL', 'What slipway edit opens.'],
  ['XDG_STATE_HOME, XDG_CONFIG_HOME', 'Where state directories and the credentials of slipway login are kept.'],
];

/** @param date of the pages, ISO 8601 @returns the text of each by the name of its file: `slipway-get.1` */
export async function manPages(version: string, date: string): Promise<Record<string, string>> {
  const all = await pages();
  return Object.fromEntries(
    all.map((page) => [`${fileName(page.name)}.1`, manPage(page, all, `slipway ${version}`, date)]),
  );
}

/** As npm links them on install: paths in the package. */
export async function manPaths(): Promise<string[]> {
  return (await pages()).map(({ name }) => `./dist/man/${fileName(name)}.1`).sort();
}

const fileName = (name: string): string => name.replaceAll(' ', '-');

function manPage(
  { name, commander, examples, isNested }: Page,
  all: readonly Page[],
  source: string,
  date: string,
): string {
  const title = fileName(name);
  const options = commander.createHelp().visibleOptions(commander);
  const below = commander.commands.map((one): [string, string] => [one.name(), one.summary()]);
  const related = all.filter(
    (page) => page.name !== name && (isNested ? name.startsWith(`${page.name} `) : !page.isNested),
  );
  return [
    `.TH ${escaped(title.toUpperCase())} 1 ${date} "${source}" "Slipway"\n`,
    section('NAME', `${escaped(title)} \\- ${escaped(commander.summary() || 'GitOps for MCP')}`),
    section('SYNOPSIS', `.B ${escaped(name)}\n${escaped(commander.usage())}`),
    section('DESCRIPTION', escaped(sentence(commander.description()))),
    list('COMMANDS', below),
    list(
      'OPTIONS',
      options.map((option) => [option.flags, aboutOption(option)]),
    ),
    examples.length === 0 ? '' : section('EXAMPLES', `.EX\n${examples.map(escaped).join('\n')}\n.EE`),
    list('EXIT STATUS', EXIT),
    list('ENVIRONMENT', ENVIRONMENT),
    section('SEE ALSO', related.map((page) => `.BR ${escaped(fileName(page.name))} (1)`).join(',\n')),
  ]
    .filter((part) => part !== '')
    .join('');
}

const section = (name: string, body: string): string => `.SH ${name}\n${body}\n`;

function list(name: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return '';
  return section(name, rows.map(([term, about]) => `.TP\n.B ${escaped(term)}\n${escaped(sentence(about))}`).join('\n'));
}

function aboutOption({ description, argChoices, defaultValue }: CommanderOption): string {
  const more = [
    argChoices ? `one of ${argChoices.join(', ')}` : '',
    typeof defaultValue === 'string' ? `default: ${defaultValue}` : '',
  ].filter(Boolean);
  return more.length === 0 ? description : `${description} (${more.join('; ')})`;
}

/** Begins with a capital and ends with a full stop. */
function sentence(text: string): string {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return text === '' || /[.!?)]$/.test(text) ? whole : `${whole}.`;
}

/** Characters that roff would take for its own, or print as something that cannot be copied into a shell. */
const NAMED: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  '~': '\\(ti',
  '^': '\\(ha',
  '`': '\\(ga',
  "'": '\\(aq',
  '"': '\\(dq',
};

/** Text as text, whatever is in it: no line of it is a request, and no character beyond ASCII is left. */
export function escaped(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim().replaceAll(/[\\~^`'"-]|[^\u0020-\u007e]/gu, (char) => NAMED[char] ?? codePoint(char)))
    .filter((line) => line !== '')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

const codePoint = (char: string): string =>
  `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
