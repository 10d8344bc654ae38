import { SlipwayError } from '../../schemas/errors.ts';
import { name as nameSchema } from '../../schemas/kinds/fields.ts';
import { sopsValues } from '../../schemas/kinds/secret.ts';
import { MASK } from '../../schemas/sensitive.ts';
import { WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { plain } from '../print/plain.ts';
import { table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { checkSize, readValue } from '../secrets/input.ts';
import { keygen } from '../secrets/keys.ts';
import { openSopsValue, openValue, putValue, recipientsFor, sealValue, secretIn } from '../secrets/values.ts';
import { kindFor } from '../select.ts';
import { change, look } from '../write/change.ts';
import type { Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { EditedFile } from '../write/editor.ts';
import { found } from '../write/find.ts';

type Action = (invocation: Invocation, name: string, key: string) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { encrypt, edit, rotate, view };
const WORDS = ['keygen', ...Object.keys(ACTIONS)];

export const command: Command = {
  summary: 'keep secret values in the config repo, encrypted with age',
  usage: `<${WORDS.join('|')}> [name] [key]`,
  options: [
    { flags: '--from-file <file>', description: 'encrypt: read the value from a file, not from a prompt or a pipe' },
    {
      flags: '--recipient <recipient>',
      description: 'encrypt, edit, rotate: encrypt for this age recipient, and write it down in the Secret',
      repeated: true,
    },
    { flags: '--file <file>', description: 'encrypt: where to write a new Secret (default: secrets/<name>.yaml)' },
    { flags: '--key-file <file>', description: 'keygen: where to write the key (default: where Slipway looks for it)' },
    { flags: '--reveal', description: 'view: show the values themselves' },
    ...WRITE_OPTIONS.slice(0, -1),
    {
      flags: '-o, --output <format>',
      description: 'output format',
      choices: ['text', 'name', 'yaml', 'json'],
      default: 'text',
    },
  ],
  examples: [
    'slipway secret keygen',
    'slipway secret encrypt github token --from-file token.txt -m "Token for GitHub"',
    'slipway secret view github',
    'slipway secret rotate --branch new-recipients',
  ],

  async run(invocation) {
    const [word = '', name = '', key = ''] = invocation.args;
    if (word === 'keygen') {
      await keygen(invocation.options, invocation.io);
      return 0;
    }
    const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
    if (!action) throw new SlipwayError('usage', `There is no \`secret ${word}\`; there is ${WORDS.join(', ')}.`);
    if (!(action === rotate && name === '') && !nameSchema.safeParse(name).success)
      throw new SlipwayError('usage', `${name || 'Nothing'} is no name: use a–z, 0–9 and -.`);
    if ((action === encrypt || action === edit) && !/^[-._A-Za-z0-9]{1,253}$/.test(key))
      throw new SlipwayError('usage', `${key || 'Nothing'} is no key: use letters, digits, -, . and _.`);
    return action(invocation, name, key);
  },
};

/** Needs no key of anybody: whoever may write to the repo can add a value. */
async function encrypt(invocation: Invocation, name: string, key: string): Promise<number> {
  const { options, io } = invocation;
  await look(invocation, async (draft) => recipientsFor(draft, name, options)); // Before somebody types a value in vain.
  const value = await readValue(options, io, `Value of ${name}, key ${key}`);
  return change(invocation, async (draft) => [await write(draft, invocation, { name, key }, value)]);
}

/** In memory, with the editor of whoever asks; overwritten before it goes. */
async function edit(invocation: Invocation, name: string, key: string): Promise<number> {
  const { options, io } = invocation;
  const before = await look(invocation, async (draft) => {
    recipientsFor(draft, name, options);
    return openValue(draft, { name, key }, io);
  });
  using file = EditedFile.inMemory(`${name}-${key}`);
  const value = (await file.edit(before?.value ?? '', io)).replace(/\r?\n$/, '');
  if (value === (before?.value ?? '')) {
    io.err('nothing was changed');
    return 0;
  }
  if (value === '') throw new SlipwayError('usage', 'There is no value: it is empty.');
  checkSize(value);
  return change(invocation, async (draft) => {
    const now = await openValue(draft, { name, key }, io);
    if (now?.value !== before?.value)
      throw new SlipwayError(
        'conflict',
        `Secret ${name}, key ${key} was changed by somebody else while you edited it.`,
      );
    return [await write(draft, invocation, { name, key }, value)];
  });
}

/** The same values for the recipients that are set now. Their fingerprints stay, so nothing restarts. */
async function rotate(invocation: Invocation, name: string, key: string): Promise<number> {
  const { io, options } = invocation;
  return change(invocation, async (draft) => {
    if (name !== '') await found(draft, kindFor('Secret'), name);
    const all = name === '' ? draft.of('Secret').map(({ metadata }) => metadata.name) : [name];
    const outcomes: Outcome[] = [];
    for (const secret of all) {
      const keys = Object.keys(secretIn(draft, secret)?.spec.encrypted ?? {});
      if (key !== '' && !keys.includes(key))
        throw new SlipwayError('not-found', `Secret ${secret} has no encrypted value ${key}.`);
      for (const one of key === '' ? keys : [key]) {
        const opened = await openValue(draft, { name: secret, key: one }, io);
        if (opened)
          outcomes.push(await write(draft, invocation, { name: secret, key: one }, opened.value, opened.pepper));
      }
    }
    if (outcomes.length === 0) io.err('There is no encrypted value to rotate.');
    if (draft.of('Secret').some(({ spec }) => (spec as { sops?: unknown }).sops !== undefined))
      io.err('Files of SOPS are left as they are: `sops updatekeys <file>` rotates those.');
    const files = Map.groupBy(outcomes, (outcome) => outcome.name);
    const recipients = new Set(
      all.filter((one) => files.has(one)).flatMap((one) => recipientsFor(draft, one, options)),
    );
    // Whoever may push could have added themselves to the recipients: the one who opens the values is told for whom.
    if (recipients.size > 0) io.err(`encrypted for ${[...recipients].join(', ')}`);
    return [...files.values()].map((list) => ({ ...(list[0] as Outcome), verb: 'rotated' }));
  });
}

/** Masked unless asked for; what lies elsewhere is not looked for here. */
async function view(invocation: Invocation, name: string, wanted: string): Promise<number> {
  const { options, io } = invocation;
  const isRevealed = options['reveal'] === true;
  const rows = await look(invocation, async (draft) => {
    await found(draft, kindFor('Secret'), name);
    const secret = secretIn(draft, name);
    if (!secret)
      throw new SlipwayError('invalid-config', `Secret ${name} has issues.`, { hint: 'See `slipway validate`.' });
    const { data = {}, encrypted = {}, sops } = secret.spec;
    const places = [
      ...Object.entries(data).map(([key, { env, file }]) => ({
        key,
        from: env === undefined ? `file ${file}` : `env ${env}`,
      })),
      ...Object.keys(encrypted).map((key) => ({ key, from: 'encrypted' })),
      ...Object.keys(sopsValues(secret)).map((key) => ({ key, from: `sops ${sops?.file}` })),
    ].filter(({ key }) => wanted === '' || key === wanted);
    if (places.length === 0) throw new SlipwayError('not-found', `Secret ${name} has no ${wanted || 'value'}.`);
    const shown = places.map(async ({ key, from }) => {
      if (!isRevealed) return { key, from, value: MASK };
      const opened = (await openValue(draft, { name, key }, io))?.value ?? (await openSopsValue(draft, name, key, io));
      return { key, from, value: opened ?? null };
    });
    return Promise.all(shown);
  });
  const format = options['output'];
  if (format === 'json' || format === 'yaml') io.out(formatValue(rows, format));
  else if (format === 'name') rows.forEach(({ key }) => io.out(key));
  // One value on its own, for a pipe: exactly as it is.
  else if (isRevealed && wanted !== '') io.out(rows[0]?.value ?? '');
  else
    io.out(
      table(
        ['key', 'from', 'value'],
        rows.map((row) => [row.key, row.from, plain(row.value ?? '(not here)')]),
      ),
    );
  return 0;
}

async function write(
  draft: Draft,
  { options }: Invocation,
  place: { name: string; key: string },
  value: string,
  pepper?: string,
): Promise<Outcome> {
  const sealed = await sealValue(place, value, recipientsFor(draft, place.name, options), pepper);
  return putValue(draft, place, sealed, options);
}
