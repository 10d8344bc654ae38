import { revertOf, type Revert } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { WRITE_OPTIONS, type Command } from '../command.ts';
import { addressIn, documentsOf } from '../document/documents.ts';
import { same, type Json } from '../document/json.ts';
import { change } from '../write/change.ts';
import type { Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';

export const command: Command = {
  summary: 'undo what a commit did to the config, as a new commit',
  usage: '[commit]',
  options: WRITE_OPTIONS,
  examples: [
    'slipway rollback --dry-run --diff',
    'slipway rollback -1',
    'slipway rollback HEAD --branch undo -m "As it was"',
  ],

  async run(invocation) {
    const { args, io } = invocation;
    const commit = args[0] ?? '-1';
    let undone: Revert | undefined;
    return change(
      invocation,
      async (draft, { history }) => {
        if (!history)
          throw new SlipwayError('usage', 'This folder is no git repository, so there is nothing to go back to.');
        undone = await revertOf({ tip: draft.revision, ...history, commit, signal: io.signal });
        const outcomes = (await Promise.all(undone.files.map((file) => rewrite(draft, file)))).flat();
        if (draft.changes().after.size === 0)
          io.err(`Of commit ${undone.id.slice(0, 8)} (${undone.subject}), nothing is left in the config to undo.`);
        if (undone.others.length > 0) io.err(`Left as it is, for it is no config: ${undone.others.join(', ')}`);
        return outcomes;
      },
      // As `git revert` says it.
      () => `Revert "${undone?.subject}"\n\nThis reverts commit ${undone?.id}.`,
    );
  },
};

async function rewrite(draft: Draft, { path, now, reverted }: Revert['files'][0]): Promise<Outcome[]> {
  // A commit takes whole files: what somebody is still writing must not get into it.
  if (((await draft.read(path)) ?? null) !== now)
    throw new SlipwayError('conflict', `${path} has changes that are not committed.`, {
      hint: 'Commit them, or put them away with `git stash`.',
    });
  await draft.write(path, reverted);
  return now === reverted ? [] : outcomesOf(path, now, reverted);
}

/** What becomes of the resources of a file, or of the file where it is a program. */
function outcomesOf(file: string, now: string | null, then: string | null): Outcome[] {
  const verb = (was: unknown, is: unknown): string =>
    was === undefined ? 'restored' : is === undefined ? 'deleted' : 'rolled back';
  if (!/\.ya?ml$/.test(file))
    return [{ kind: 'File', name: file, file, verb: verb(now ?? undefined, then ?? undefined) }];
  const [before, after] = [resourcesIn(now), resourcesIn(then)];
  return [...new Map([...before, ...after])].flatMap(([key, { kind, name }]): Outcome[] => {
    const [was, is] = [before.get(key)?.value, after.get(key)?.value];
    return was !== undefined && is !== undefined && same(was, is) ? [] : [{ kind, name, file, verb: verb(was, is) }];
  });
}

function resourcesIn(text: string | null): Map<string, { kind: string; name: string; value: Json }> {
  const found = documentsOf(text ?? '').flatMap(({ value }) => {
    const address = addressIn(value);
    return address && value !== undefined ? [{ ...address, value }] : [];
  });
  return new Map(found.map((one) => [`${one.kind}/${one.name}`, one]));
}
