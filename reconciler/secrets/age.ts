/**
 * Secret values as age files (https://age-encryption.org/v1). In the header stands, for everybody to see and covered by its
 * MAC, which Secret and key the value is for; inside, beside the value, a key that makes its fingerprint.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { BINDING, boundTo, type SealedValue } from '../../schemas/kinds/fields/sealed.ts';
import { Unavailable } from './unavailable.ts';

export interface Place {
  readonly secret: string;
  readonly key: string;
}

export interface Opened {
  readonly value: string;
  /** 32 bytes in hex. With it, the same value keeps its fingerprint when it is encrypted for others. */
  readonly pepper: string;
}

/** Loaded when the first value is opened or written: most configs have none. */
const library = () => import('age-encryption');

/**
 * @param recipients `age1…`
 * @param pepper of the same value, encrypted before; absent for a new one
 * @throws Unavailable where a recipient is none
 */
export async function seal(
  { secret, key }: Place,
  value: string,
  recipients: readonly string[],
  pepper: string = randomBytes(32).toString('hex'),
): Promise<SealedValue> {
  const { Encrypter, Stanza } = await library();
  const encrypter = new Encrypter();
  encrypter.addRecipient({ wrapFileKey: () => [new Stanza([BINDING, secret, key], new Uint8Array())] });
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient);
    } catch {
      throw new Unavailable(`${recipient} is no age recipient`);
    }
  const file = await encrypter.encrypt(JSON.stringify({ value, pepper } satisfies Opened));
  return { age: Buffer.from(file).toString('base64'), fingerprint: fingerprintOf({ value, pepper }).toString('hex') };
}

/** @throws Unavailable where none of the identities opens it, or it is not what it should be */
export async function open(
  { age, fingerprint }: SealedValue,
  place: Place,
  identities: readonly string[],
): Promise<Opened> {
  const text = await decrypt(Buffer.from(age, 'base64'), identities);
  // The header's MAC was checked: nobody without the value can have written another place into it.
  const bound = boundTo(age);
  if (bound?.name !== place.secret || bound.key !== place.key)
    throw new Unavailable(
      bound
        ? `the encrypted value is of Secret ${bound.name}, key ${bound.key}`
        : 'the encrypted value is of no Secret',
      'Encrypt the value for this name and key with `slipway secret encrypt`.',
    );
  const opened = readEnvelope(text);
  // A fingerprint that does not fit would let a value change without a restart, and restart without a change.
  if (!timingSafeEqual(fingerprintOf(opened), Buffer.from(fingerprint, 'hex')))
    throw new Unavailable('its fingerprint is not that of its value', 'Encrypt it anew with `slipway secret encrypt`.');
  return opened;
}

/** @throws Unavailable: the library's own errors say less, and none of them names a value */
export async function decrypt(file: Uint8Array, identities: readonly string[]): Promise<string> {
  const { Decrypter } = await library();
  const decrypter = new Decrypter();
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
  } catch {
    throw new Unavailable('one of the age keys is none', 'Compare it with what `slipway secret keygen` made.');
  }
  try {
    return await decrypter.decrypt(file, 'text');
  } catch (error) {
    const isOther = error instanceof Error && error.message.startsWith('no identity matched');
    throw isOther
      ? new Unavailable(
          'it is encrypted for other age keys',
          'Give Slipway one of its recipients’ keys, or encrypt it for this one.',
        )
      : new Unavailable('the encrypted value is damaged', 'Encrypt it anew, or take it from an earlier commit.');
  }
}

function readEnvelope(text: string): Opened {
  try {
    const { value, pepper } = JSON.parse(text) as Partial<Opened>;
    if (typeof value === 'string' && typeof pepper === 'string') return { value, pepper };
  } catch {
    // What JSON.parse says of it would quote it.
  }
  throw new Unavailable(
    'what was encrypted is no value of Slipway',
    'Encrypt the value with `slipway secret encrypt`.',
  );
}

function fingerprintOf({ value, pepper }: Opened): Buffer {
  return createHmac('sha256', Buffer.from(pepper, 'hex')).update(value).digest();
}

/** @returns the identity, for a file of this user alone, and who encrypts for it */
export async function generateKey(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await library();
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** @param identity `AGE-SECRET-KEY-…` */
export async function recipientOf(identity: string): Promise<string> {
  const { identityToRecipient } = await library();
  return identityToRecipient(identity);
}
