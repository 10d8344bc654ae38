import { SlipwayError } from '../../schemas/errors.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { API_VERSION } from '../../schemas/resource.ts';
import {
  GLOBAL_OPTIONS,
  text,
  texts,
  WRITE_OPTIONS,
  type Command,
  type Option,
  type Options,
  type Subcommand,
} from '../command.ts';
import type { Json } from '../document/json.ts';
import { kindFor } from '../select.ts';
import { change } from '../write/change.ts';
import { say } from '../write/changes.ts';
import { fieldsOf, readEntry, readValue, typeOf, withValue, type Field } from '../write/fields.ts';

const FILE: Option = {
  flags: '--file <file>',
  description: 'where it goes, below the config path (default: <plural>/<name>.yaml)',
};
const TAKEN = new Set(
  [...WRITE_OPTIONS, ...GLOBAL_OPTIONS, FILE].flatMap(({ flags }) =>
    [...flags.matchAll(/--([a-zA-Z-]+)/g)].map(([, name]) => name),
  ),
);

const EXAMPLES = [
  'slipway create server fetch --package.pypi mcp-server-fetch --package.version 2026.1.1',
  'slipway create server docs --url https://docs.example.com/mcp --labels team=core',
  'slipway create srv tool --command node --command tool.mjs --env MODE=fast --dry-run -o yaml',
  'slipway create project ops --servers github --servers pager --description "On call"',
  'slipway create secret pager --data token.env=PAGER_TOKEN',
  'slipway create server --help',
];

export const command: Command = {
  summary: 'add a resource; every field of a kind is a flag',
  usage: '<kind> <name>',
  commands: Object.fromEntries(
    (Object.values(KINDS) as Kind[]).map((kind) => [kind.kind.toLowerCase(), subcommand(kind)]),
  ),
  examples: EXAMPLES,
  takesAnyFlag: true,

  async run({ args: [word = ''] }) {
    throw word === '' ? new SlipwayError('usage', 'Name a kind and a name.') : unlisted(word);
  },
};

/** A kind that exists is a command of its own, so this word is none. */
function unlisted(word: string): SlipwayError {
  const kind = kindFor(word);
  return new SlipwayError('usage', `Write ${kind.kind.toLowerCase()} first, then its name and its flags.`);
}

function subcommand(kind: Kind): Subcommand {
  const name = kind.kind.toLowerCase();
  return {
    summary: kind.description.split('. ', 1)[0]?.replace(/\.$/, '') ?? '',
    aliases: [kind.plural, ...kind.short].filter((alias) => alias !== name),
    make: () => createOne(kind),
  };
}

function createOne(kind: Kind): Command {
  const fields = fieldsOf(kind);
  const word = kind.kind.toLowerCase();
  return {
    examples: EXAMPLES.filter((example) => findKind(example.split(' ')[2] ?? '') === kind),
    summary: `add a ${kind.kind}: ${kind.description}`,
    usage: '<name>',
    options: [...WRITE_OPTIONS, FILE, ...fields.map((field) => flagOf(field, fields))],
    async run(invocation) {
      const [name = ''] = invocation.args;
      const value = documentFrom(kind, name, fields, invocation.options);
      const place = text(invocation.options, 'file');
      // Of a kind that is made of a file, that one is easily meant.
      if (
        place !== undefined &&
        !/\.ya?ml$/.test(place) &&
        fields.some((field) => longName(field, fields) === 'spec.file')
      )
        throw new SlipwayError('usage', `--file ${place} is no place for config.`, {
          hint: `What it is made of is --spec.file ${place}; --file is where its YAML goes.`,
        });
      return change(invocation, async (draft) => {
        const found = await draft.find(kind.kind, name);
        if (found)
          throw new SlipwayError('exists', `There is a ${kind.kind} ${name} in ${found.file}.`, {
            hint: `Change it with \`slipway edit ${word} ${name}\` or \`slipway apply\`.`,
          });
        return [await say(draft, { kind: kind.kind, name, value }, place)];
      });
    },
  };
}

/** `--replicas`, `--http.port`, `--labels`; with what stands above where a name is taken. */
function longName({ path }: Field, fields: readonly Field[]): string {
  const short = path.slice(1).join('.');
  const isTaken =
    TAKEN.has(short) ||
    (path[0] === 'metadata' &&
      fields.some((other) => other.path[0] === 'spec' && other.path.slice(1).join('.') === short));
  return isTaken ? path.join('.') : short;
}

function flagOf(field: Field, fields: readonly Field[]): Option {
  const { schema } = field;
  const isMany = repeats(field);
  const value = schema['default'];
  const isTold = value !== undefined && JSON.stringify(value) !== '[]' && JSON.stringify(value) !== '{}';
  const description = [
    String(schema['description'] ?? ''),
    isMany ? '(repeatable)' : '',
    isTold ? `(default: ${typeof value === 'string' ? value : JSON.stringify(value)})` : '',
  ];
  const [open, close] = schema['type'] === 'boolean' ? ['[', ']'] : ['<', '>'];
  return {
    flags: `--${longName(field, fields)}${isEmptyMap(field) ? '' : ` ${open}${typeOf(schema)}${close}`}`,
    description: description.filter(Boolean).join(' '),
    ...(isMany ? { repeated: true } : {}),
  };
}

const isMapField = ({ schema }: Field): boolean => schema['type'] === 'object' && schema['properties'] === undefined;
/** A map without any field only says that it is there. */
const isEmptyMap = ({ schema }: Field): boolean =>
  Object.keys((schema['properties'] as object | undefined) ?? { any: 1 }).length === 0;
const repeats = (field: Field): boolean => field.schema['type'] === 'array' || isMapField(field);

function documentFrom(kind: Kind, name: string, fields: readonly Field[], options: Options): Json {
  const start: Json = { apiVersion: API_VERSION, kind: kind.kind, metadata: { name }, spec: {} };
  return fields.reduce<Json>((document, field) => {
    const flag = longName(field, fields);
    const what = `--${flag}`;
    const given = options[flag];
    if (given === undefined) return document;
    if (isMapField(field))
      return texts(options, flag).reduce<Json>((result, entry) => {
        const { path, value } = readEntry(field.schema, entry, what);
        return withValue(result, [...field.path, ...path], value);
      }, document);
    if (field.schema['type'] === 'array') {
      const item = (field.schema['items'] ?? {}) as Field['schema'];
      return withValue(
        document,
        field.path,
        texts(options, flag).map((one) => readValue(item, one, what)),
      );
    }
    const set = isEmptyMap(field) ? {} : true;
    return withValue(document, field.path, given === true ? set : readValue(field.schema, String(given), what));
  }, start);
}
