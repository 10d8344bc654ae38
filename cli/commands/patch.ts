import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { text, WRITE_OPTIONS, type Command } from '../command.ts';
import { isMap, type Json } from '../document/json.ts';
import { meaningOf } from '../document/meaning.ts';
import { oneNamedBy } from '../select.ts';
import { change } from '../write/change.ts';
import { say } from '../write/changes.ts';
import { found, sameIdentity } from '../write/find.ts';
import { jsonPatch, mergePatch, patchFields, readPatch } from '../write/patch.ts';

export const command: Command = {
  summary: 'change single fields of a resource',
  usage: '<kind> [name] [field=value...]',
  options: [
    {
      flags: '--type <type>',
      description: 'how -p is to be read: RFC 7386 or RFC 6902',
      choices: ['merge', 'json'],
      default: 'merge',
    },
    { flags: '-p, --patch <patch>', description: 'the patch, as YAML or JSON' },
    ...WRITE_OPTIONS,
  ],
  examples: [
    'slipway patch server github replicas=3 rollout.maxSurge=50%',
    'slipway patch server github env.MODE.value=slow description=null --diff',
    'slipway patch server/github metadata.labels.team=core --dry-run',
    `slipway patch server github -p '{ spec: { timeout: 90s } }'`,
    `slipway patch server github --type json -p '[{ "op": "replace", "path": "/spec/replicas", "value": 2 }]'`,
  ],

  async run(invocation) {
    const { kind, name, rest } = oneNamedBy(invocation.args);
    const patch = text(invocation.options, 'patch');
    if ((patch === undefined) === (rest.length === 0))
      throw new SlipwayError('usage', 'Give either field=value or -p.');
    const apply = (value: Json): Json => {
      if (patch === undefined) return patchFields(kind, value, rest);
      return invocation.options['type'] === 'json'
        ? jsonPatch(value, readPatch(patch))
        : mergePatch(value, readPatch(patch));
    };
    return change(invocation, async (draft) => {
      const { document } = await found(draft, kind, name);
      const value = apply(shownOf(kind, document.value));
      sameIdentity(value, kind, name);
      const outcome = await say(draft, { kind: kind.kind, name, value });
      return [outcome.verb === 'unchanged' ? outcome : { ...outcome, verb: 'patched' }];
    });
  },
};

/**
 * With its defaults, as `get` shows it. As it is written where it is not valid and the patch may mend it, or is made of a Template: what it
 * does not say, that says.
 */
function shownOf(kind: Kind, written: Json | undefined): Json {
  const shown = meaningOf(written);
  const isTemplated = shown && isMap(shown) && kind.templateOf?.(shown['spec'] as never) !== undefined;
  return isTemplated || shown === undefined ? (written as Json) : shown;
}
