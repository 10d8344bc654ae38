import { SlipwayError } from '../../schemas/errors.ts';
import { text, texts, WRITE_OPTIONS, type Command } from '../command.ts';
import { printIssues } from '../print/issues.ts';
import { printRemarks } from '../print/remarks.ts';
import { change } from '../write/change.ts';
import { say, type Outcome } from '../write/changes.ts';
import { readInputs, resourcesIn } from '../write/manifest.ts';

export const command: Command = {
  summary: 'make the config repo say what files say: new resources are added, others changed in place',
  options: [
    {
      flags: '-f, --filename <file>',
      description: 'file, folder, URL, or - for what is piped in; repeatable',
      repeated: true,
    },
    ...WRITE_OPTIONS,
    {
      flags: '--file <file>',
      description: 'where new resources go, below the config path (default: <plural>/<name>.yaml)',
    },
  ],
  examples: [
    'slipway apply -f ../fetch.yaml',
    'slipway apply -f ../fetch.yaml -f ../more --dry-run --diff',
    'slipway apply -f https://example.com/servers.yaml --file servers/shared.yaml',
    'slipway get server github -o yaml --local | slipway apply -f -',
    'slipway apply -f ../fetch.yaml --repo https://git.example.com/config.git -m "Add fetch"',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const places = texts(options, 'filename');
    if (places.length === 0 || args.length > 0)
      throw new SlipwayError('usage', 'Name what to apply with -f.', {
        hint: 'For example `slipway apply -f servers.yaml`.',
      });
    const { wanted, issues, remarks } = resourcesIn(await readInputs(places, io));
    if (issues.length > 0) {
      printIssues(issues, io);
      return 1;
    }
    printRemarks(remarks, io);
    if (wanted.length === 0) throw new SlipwayError('usage', `There is no resource in ${places.join(', ')}.`);
    return change(invocation, async (draft) => {
      const outcomes: Outcome[] = [];
      for (const one of wanted) outcomes.push(await say(draft, one, text(options, 'file')));
      return outcomes;
    });
  },
};
