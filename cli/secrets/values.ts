/** Encrypted values in documents of Secrets: put there, opened, and encrypted for others. */
import { openSecretFile, openSealed, readIdentities, seal, Unavailable } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { ageRecipient, type SealedValue } from '../../schemas/kinds/fields/sealed.ts';
import { sopsValues, type SecretSpec } from '../../schemas/kinds/secret.ts';
import { API_VERSION, type Resource } from '../../schemas/resource.ts';
import { texts, type Options } from '../command.ts';
import { isMap, type Json, type JsonMap } from '../document/json.ts';
import type { Io } from '../io.ts';
import { say, type Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { mergePatch } from '../write/patch.ts';

const KIND = 'Secret';

/** The Secret of that name, if the config has it. */
export function secretIn(draft: Draft, name: string): Resource<SecretSpec> | undefined {
  return draft.of(KIND).find(({ metadata }) => metadata.name === name) as Resource<SecretSpec> | undefined;
}

/**
 * Whom to encrypt for: those that are named now, else those of the Secret, else those of the Gateway.
 * @throws SlipwayError usage where there is nobody
 */
export function recipientsFor(draft: Draft, name: string, options: Options): readonly string[] {
  const given = texts(options, 'recipient');
  const odd = given.find((one) => !ageRecipient.safeParse(one).success);
  if (odd !== undefined) throw new SlipwayError('usage', `${odd} is no age recipient; they begin with age1.`);
  const gateway = draft.of('Gateway')[0]?.spec as { secrets?: { recipients: string[] } } | undefined;
  const found = given.length > 0 ? given : (secretIn(draft, name)?.spec.recipients ?? gateway?.secrets?.recipients);
  if (found) return found;
  throw new SlipwayError('usage', 'Nobody is named to encrypt for.', {
    hint: 'Write `secrets: { recipients: [age1…] }` into the Gateway, or name some with --recipient. `slipway secret keygen` makes a key.',
  });
}

/** The Secret afterwards has the value, encrypted, in the place of whatever was under that key. */
export async function putValue(
  draft: Draft,
  { name, key }: { name: string; key: string },
  sealed: SealedValue,
  options: Options,
): Promise<Outcome> {
  const found = await draft.find(KIND, name);
  const given = texts(options, 'recipient');
  const value = found?.document.value ?? { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: {} };
  const spec = {
    ...(has(value, 'data', key) ? { data: hasOnly(value, 'data', key) ? null : { [key]: null } } : {}),
    encrypted: { [key]: { ...sealed } },
    // Whoever is named by hand once is meant the next time, too.
    ...(given.length > 0 ? { recipients: [...given] } : {}),
  };
  const file = typeof options['file'] === 'string' ? options['file'] : undefined;
  return { ...(await say(draft, { kind: KIND, name, value: mergePatch(value, { spec }) }, file)), verb: 'encrypted' };
}

/** @returns the value and what keeps its fingerprint; undefined where there is none @throws SlipwayError secret-unavailable */
export async function openValue(draft: Draft, { name, key }: { name: string; key: string }, io: Io) {
  const sealed = secretIn(draft, name)?.spec.encrypted?.[key];
  if (!sealed) return undefined;
  return told(name, key, async () => openSealed(sealed, { secret: name, key }, await readIdentities(io.env)));
}

/** @throws SlipwayError secret-unavailable */
export async function openSopsValue(draft: Draft, name: string, key: string, io: Io): Promise<string | undefined> {
  const secret = secretIn(draft, name);
  const { sops } = secret?.spec ?? {};
  if (!secret || !sops || !Object.hasOwn(sopsValues(secret), key)) return undefined;
  const text = (await draft.read(sops.file)) ?? '';
  return told(name, key, async () => openSecretFile({ file: sops.file, text }, key, await readIdentities(io.env)));
}

/** @throws SlipwayError secret-unavailable */
export function sealValue(
  place: { name: string; key: string },
  value: string,
  recipients: readonly string[],
  pepper?: string,
): Promise<SealedValue> {
  return told(place.name, place.key, () => seal({ secret: place.name, key: place.key }, value, recipients, pepper));
}

async function told<T>(name: string, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new SlipwayError('secret-unavailable', `Secret ${name}, key ${key}: ${error.message}.`, hint);
  }
}

function part(document: Json, name: string): JsonMap {
  const spec = isMap(document) ? document['spec'] : undefined;
  const found = isMap(spec) ? spec[name] : undefined;
  return isMap(found) ? found : {};
}

const has = (document: Json, name: string, key: string): boolean => Object.hasOwn(part(document, name), key);
const hasOnly = (document: Json, name: string, key: string): boolean =>
  has(document, name, key) && Object.keys(part(document, name)).length === 1;
