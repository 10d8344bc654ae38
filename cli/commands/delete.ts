import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { text, texts, WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { printIssues } from '../print/issues.ts';
import { kindFor, labelSelector, namedBy } from '../select.ts';
import { change } from '../write/change.ts';
import { remove, type Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { found } from '../write/find.ts';
import { readInputs, resourcesIn } from '../write/manifest.ts';

type Target = { readonly kind: Kind; readonly name: string };

export const command: Command = {
  summary: 'take resources out of the config repo; what they ran is stopped when the change is applied',
  usage: '[kind] [names...]',
  options: [
    {
      flags: '-f, --filename <file>',
      description: 'delete what stands in a file, folder or URL, or is piped in (-); repeatable',
      repeated: true,
    },
    { flags: '-l, --selector <labels>', description: 'delete those of the kind with these labels' },
    { flags: '--ignore-not-found', description: 'what is not there counts as deleted' },
    ...WRITE_OPTIONS,
  ],
  examples: [
    'slipway delete server pager --dry-run --diff',
    'slipway delete server/scratch project/scratch',
    'slipway delete servers -l tier=scratch',
    'slipway delete -f ../fetch.yaml --ignore-not-found',
  ],

  async run(invocation) {
    const { options, io } = invocation;
    const inputs = texts(options, 'filename');
    const listed = resourcesIn(await readInputs(inputs, io));
    if (listed.issues.length > 0) {
      printIssues(listed.issues, io);
      return 1;
    }
    const select = targetsOf(
      invocation,
      listed.wanted.map(({ kind, name }) => ({ kind: kindFor(kind), name })),
    );
    const deleted = change(invocation, async (draft) => {
      const outcomes: Outcome[] = [];
      for (const { kind, name } of select(draft)) {
        const isThere = (await draft.find(kind.kind, name)) !== undefined;
        if (!isThere && options['ignoreNotFound'] === true) continue;
        const located = await found(draft, kind, name);
        await remove(draft, located);
        outcomes.push({ kind: kind.kind, name, file: located.file, verb: 'deleted' });
      }
      return outcomes;
    });
    return deleted.catch(telling);
  },
};

/** What is deleted is mostly missed by something that names it. @throws what it is given */
function telling(error: unknown): never {
  if (!(error instanceof SlipwayError) || error.code !== 'invalid-config') throw error;
  throw new SlipwayError(error.code, error.message, {
    hint: 'What names it goes first, or with it: `slipway describe <kind> <name>` tells what does, `slipway detach` frees a server.',
    cause: error,
  });
}

/** Names, labels or files: one of them, so that nobody deletes more than was meant. */
function targetsOf({ args, options }: Invocation, listed: readonly Target[]): (draft: Draft) => readonly Target[] {
  const selector = text(options, 'selector');
  const isListed = texts(options, 'filename').length > 0;
  const named = args.length === 0 ? [] : namedBy(args);
  const targets = named.flatMap(({ kind, names }) => names.map((name) => ({ kind, name })));
  const ways = [isListed, selector !== undefined, targets.length > 0].filter(Boolean).length;
  if (ways !== 1 || (isListed && args.length > 0))
    throw new SlipwayError('usage', 'Name what to delete: a kind and names, a kind and -l, or -f.');
  if (selector === undefined) return () => (isListed ? listed : targets);
  const kind = named[0]?.kind;
  if (!kind) throw new SlipwayError('usage', 'With -l, name a kind.');
  const matches = labelSelector(selector);
  return (draft) =>
    draft
      .of(kind.kind)
      .filter(({ metadata }) => matches(metadata.labels))
      .map(({ metadata }) => ({ kind, name: metadata.name }));
}
