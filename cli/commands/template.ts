import { SlipwayError } from '../../schemas/errors.ts';
import { looksSecret, MASK } from '../../schemas/sensitive.ts';
import { API_VERSION } from '../../schemas/resource.ts';
import {
  outputOption,
  SOURCE_OPTIONS,
  text,
  texts,
  WRITE_OPTIONS,
  type Command,
  type Option,
  type Options,
} from '../command.ts';
import { isMap, type Json, type JsonMap } from '../document/json.ts';
import { formatValue } from '../print/value.ts';
import { change, Invalid, look, printingIssues } from '../write/change.ts';
import { say } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { found } from '../write/find.ts';
import { copyOf, MADE_OF, madeOf, paramsFrom, templateNamed, type Made } from '../write/from-template.ts';
import { merge, type Merged, type Step } from '../write/merge.ts';
import { KINDS } from '../../schemas/kinds/index.ts';

const SUMMARIES = {
  use: 'make a Server that is a copy of a template',
  diff: 'show what a template has that its copies do not: exit 0 nothing, 2 something',
  upgrade: 'bring what a template has by now into its copies, and keep what was changed there',
};

const PARAM: Option = {
  flags: '-p, --param <key=value>',
  description: 'a parameter of the template (repeatable)',
  repeated: true,
};

export const command: Command = {
  summary: 'make Servers of templates, and bring what templates have by now into them: use, diff, upgrade',
  usage: '<use|diff|upgrade>',
  commands: {
    use: { summary: SUMMARIES.use, make: () => use },
    diff: { summary: SUMMARIES.diff, make: () => diff },
    upgrade: { summary: SUMMARIES.upgrade, make: () => upgrade },
  },
  examples: ['slipway template use docs handbook -p site=handbook', 'slipway template diff'],
  run: ({ args: [action] }) =>
    Promise.reject(
      new SlipwayError(
        'usage',
        `There is no \`template ${action}\`; there are \`template use\`, \`diff\` and \`upgrade\`.`,
      ),
    ),
};

const use: Command = {
  summary: SUMMARIES.use,
  usage: '<template> <name>',
  options: [
    ...WRITE_OPTIONS,
    PARAM,
    { flags: '--file <file>', description: 'where it goes, below the config path (default: servers/<name>.yaml)' },
  ],
  examples: ['slipway template use docs handbook -p site=handbook'],

  async run(invocation) {
    const { args, options } = invocation;
    const [word = '', name = ''] = args;
    return change(invocation, async (draft) => {
      const there = await draft.find('Server', name);
      if (there) throw new SlipwayError('exists', `There is a Server ${name} in ${there.file}.`);
      const template = templateNamed(draft, word);
      const made = copyOf(word, template, paramsFrom(word, template, texts(options, 'param')));
      const value = withMade(
        { apiVersion: API_VERSION, kind: 'Server', metadata: { name }, spec: {} },
        made.spec,
        made,
      );
      return [await say(draft, { kind: 'Server', name, value }, text(options, 'file'))];
    });
  },
};

const diff: Command = {
  summary: SUMMARIES.diff,
  usage: '[servers...]',
  options: [...SOURCE_OPTIONS, outputOption(['text', 'json'])],
  examples: ['slipway template diff', 'slipway template diff handbook -o json'],

  async run(invocation) {
    const { args, options, io } = invocation;
    const news = await printingIssues(io, () =>
      look(invocation, async (draft) => {
        const copies = await copiesIn(draft, args);
        return copies.map((copy) => ({ ...copy, steps: upgraded(draft, copy, options).steps.map(shown) }));
      }),
    );
    const changed = news.filter(({ steps }) => steps.length > 0);
    if (options['output'] === 'json')
      io.out(
        formatValue(
          changed.map(({ name, made, steps }) => ({ name, template: made.name, steps })),
          'json',
        ),
      );
    else
      for (const { name, made, steps } of changed)
        io.out(
          [`Server/${name} is a copy of Template/${made.name}, which has by now`, ...steps.map(stepLine)].join('\n'),
        );
    if (changed.length === 0) io.err('Each copy has what its template has.');
    return changed.length > 0 ? 2 : 0;
  },
};

const upgrade: Command = {
  summary: SUMMARIES.upgrade,
  usage: '[servers...]',
  options: [
    ...WRITE_OPTIONS,
    PARAM,
    {
      flags: '--prefer <mine|template>',
      description: 'whose a field is that was changed here and in the template (default: it is an error)',
      choices: ['mine', 'template'],
    },
  ],
  examples: ['slipway template upgrade handbook --diff', 'slipway template upgrade --prefer mine -m "Newer docs"'],

  async run(invocation) {
    const { args, options } = invocation;
    return change(invocation, async (draft) => {
      const outcomes = [];
      for (const copy of await copiesIn(draft, args)) {
        const { name } = copy;
        const { value, steps, made } = upgraded(draft, copy, options);
        const conflicts = steps.filter(({ isConflict }) => isConflict);
        if (conflicts.length > 0 && text(options, 'prefer') === undefined)
          throw new SlipwayError(
            'conflict',
            [`Server/${name} and its template changed the same:`, ...conflicts.map(shown).map(stepLine)].join('\n'),
            { hint: 'Say whose it is: --prefer mine, or --prefer template.' },
          );
        const wanted = { kind: 'Server', name, value: withMade(copy.value, value ?? {}, made) };
        const outcome = await say(draft, wanted);
        outcomes.push(outcome.verb === 'configured' ? { ...outcome, verb: 'upgraded' } : outcome);
      }
      return outcomes;
    });
  },
};

interface Copy {
  readonly name: string;
  readonly value: JsonMap;
  readonly made: Made;
}

/** @throws SlipwayError not-found, usage, Invalid: what cannot be read may be a copy, too */
async function copiesIn(draft: Draft, names: readonly string[]): Promise<Copy[]> {
  if (draft.base.issues.length > 0) throw new Invalid(draft.base.issues);
  const all = names.length > 0 ? names : draft.of('Server').map(({ metadata }) => metadata.name);
  const copies = await Promise.all(
    all.map(async (name): Promise<Copy[]> => {
      const { value } = (await found(draft, KINDS.Server, name)).document;
      const made = madeOf(value);
      if (made && isMap(value)) return [{ name, value, made }];
      if (names.length === 0) return [];
      throw new SlipwayError('usage', `Server/${name} is no copy of a template.`, {
        hint: 'One that names a template in its spec follows it by itself; copies are made with `slipway template use`.',
      });
    }),
  );
  return copies.flat();
}

function upgraded(draft: Draft, { value, made }: Copy, options: Options): Merged & { made: Made } {
  const template = templateNamed(draft, made.name);
  // What the template has no more is dropped: it could not be given.
  const kept = Object.entries(made.params).filter(([name]) => Object.hasOwn(template.params, name));
  const params = { ...Object.fromEntries(kept), ...paramsFrom(made.name, template, texts(options, 'param')) };
  const now = copyOf(made.name, template, params);
  const versions = { base: made.spec, mine: value['spec'], theirs: now.spec };
  return { ...merge(versions, text(options, 'prefer') === 'template' ? 'theirs' : 'mine'), made: now };
}

function withMade(value: JsonMap, spec: Json, made: Made): JsonMap {
  const metadata = isMap(value['metadata']) ? value['metadata'] : {};
  const annotations = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  const noted = { ...metadata, annotations: { ...annotations, [MADE_OF]: JSON.stringify(made) } };
  return { ...value, metadata: noted, spec };
}

/** As plans would show it. */
function shown(step: Step): Step {
  if (!step.path.split('.').some(looksSecret)) return step;
  const masked = (value: Json | undefined): Json | undefined => (value === undefined ? undefined : MASK);
  return { ...step, base: masked(step.base), mine: masked(step.mine), theirs: masked(step.theirs) };
}

function stepLine({ path, base, mine, theirs, isConflict }: Step): string {
  const [before, now] = [JSON.stringify(base), JSON.stringify(theirs)];
  if (isConflict)
    return `  ! ${path}: ${before ?? 'nothing'} -> ${now ?? 'nothing'} in the template, ${JSON.stringify(mine) ?? 'nothing'} here`;
  if (before === undefined) return `  + ${path}: ${now}`;
  return now === undefined ? `  - ${path}: ${before}` : `  ~ ${path}: ${before} -> ${now}`;
}
