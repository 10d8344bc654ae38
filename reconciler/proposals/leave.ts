/** Whether somebody may say yes to what a proposal would change. */
import type { Grant, ResourceWord } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import { git } from '../source/git-command.ts';
import { isVisible, type Repository } from '../source/source.ts';
import { differenceIn } from './addresses.ts';

/**
 * Privilege escalation: whoever says yes must be allowed to make each change by themselves; a right to say yes alone would be a right to
 * everything. What counts is what was written, in whichever environment it is in force.
 *
 * Smuggling: a branch can be pushed by hand, with changes where no plan looks (a forge's workflows, say). Those are nobody's to
 * approve here.
 * @throws SlipwayError forbidden
 */
export async function checkLeave(
  grant: Grant,
  { dir, path: folder }: Repository,
  base: string,
  after: string,
  signal: AbortSignal,
): Promise<void> {
  const options = { cwd: dir, signal };
  const listing = await git(['diff', '--no-ext-diff', '--no-renames', '--name-only', '-z', base, after], options);
  const prefix = folder === '' ? '' : `${folder}/`;
  for (const path of listing.split('\0').filter(Boolean)) {
    if (!path.startsWith(prefix) || !isVisible(path.slice(prefix.length)))
      throw new SlipwayError('forbidden', `It changes ${path}, which is no config.`, {
        hint: 'Have its branch reviewed and merged where the repo is kept.',
      });
    const { addresses, others } = await differenceIn(options, path, base, after);
    for (const address of addresses) {
      const [kind = '', name = ''] = address.split('/');
      if (!grant.may('edit', (kindOf(kind)?.plural ?? kind) as ResourceWord, name))
        throw new SlipwayError('forbidden', `It changes ${address}, which no role of yours may edit.`);
    }
    // Servers run files, and Secrets are opened from them.
    if (others && !(grant.may('edit', 'servers') && grant.may('edit', 'secrets')))
      throw new SlipwayError(
        'forbidden',
        `It changes ${path}, which needs a role that may edit all servers and secrets.`,
      );
  }
}
