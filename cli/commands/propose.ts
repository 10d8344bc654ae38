import { SlipwayError } from '../../schemas/errors.ts';
import type { Proposal, ProposalRequest } from '../../schemas/proposals.ts';
import { outputOption, TARGET_OPTIONS, text, texts, type Command } from '../command.ts';
import { printIssues } from '../print/issues.ts';
import { printRemarks } from '../print/remarks.ts';
import { formatValue } from '../print/value.ts';
import { oneNamedBy } from '../select.ts';
import { findTarget } from '../target.ts';
import { readInputs, resourcesIn } from '../write/manifest.ts';

export const command: Command = {
  summary: 'ask for a change of the config, without a right to push',
  options: [
    { flags: '-t, --title <text>', description: 'one line about it' },
    { flags: '-m, --message <text>', description: 'why' },
    {
      flags: '-f, --filename <file>',
      description: 'resources as they should be: file, folder, URL, or -',
      repeated: true,
    },
    { flags: '--remove <thing>', description: 'a resource that should go, as kind/name', repeated: true },
    ...TARGET_OPTIONS,
    outputOption(['text', 'json', 'yaml']),
  ],
  examples: [
    'slipway propose -t "Add the search server" -f search.yaml --server https://mcp.example.com',
    'slipway propose -t "Nobody uses it" --remove server/temporary',
  ],

  async run({ options, io }) {
    const title = text(options, 'title');
    if (title === undefined) throw new SlipwayError('usage', 'A proposal needs a title.', { hint: 'Add -t "…".' });
    const { wanted, issues, remarks } = resourcesIn(await readInputs(texts(options, 'filename'), io));
    if (issues.length > 0) {
      printIssues(issues, io);
      throw new SlipwayError('invalid-config', 'What was given is not valid.', { hint: 'Fix what is named above.' });
    }
    printRemarks(remarks, io);
    const remove = texts(options, 'remove').map((word) => {
      const { kind, name } = oneNamedBy([word]);
      return `${kind.kind}/${name}`;
    });
    if (wanted.length + remove.length === 0)
      throw new SlipwayError('usage', 'Nothing is asked for.', { hint: 'Give -f or --remove.' });
    const target = await findTarget(options, io);
    const description = text(options, 'message');
    const body: ProposalRequest = {
      title,
      resources: wanted.map(({ value }) => value as Record<string, unknown>),
      remove,
      ...(description === undefined ? {} : { description }),
    };
    const proposal = await target.json<Proposal>('POST', '/proposals', { body });
    const format = options['output'];
    if (format === 'json' || format === 'yaml') {
      io.out(formatValue(proposal, format));
      return 0;
    }
    const { id, changes, branch, request, requestError } = proposal;
    if (requestError !== undefined) io.err(`no pull request: ${requestError}`);
    io.out(`proposed ${id}: ${changes.join(', ')} (${request ?? `branch ${branch}`})`);
    return 0;
  },
};
