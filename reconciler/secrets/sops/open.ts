/**
 * Decrypts a file of SOPS: the data key with age, each value with AES-256-GCM bound to its path, and the MAC over all values
 * (https://github.com/getsops/sops: aes/cipher.go, sops.go). Nothing is given out before the MAC is known to fit.
 */
import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import { Unavailable } from '../unavailable.ts';
import { decimal, readSops, type Leaf, type SopsFile } from './read.ts';

/** SHA-256 of `sops`: begins a MAC over nothing but what is encrypted, so that it never fits one over everything. */
const ONLY_ENCRYPTED = createHash('sha256').update('sops').digest();
const ENCRYPTED = /^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]/;

/** @returns the value of one key, once the whole file has proved to be as it was encrypted @throws Unavailable */
export async function openSops(
  { file, text }: { readonly file: string; readonly text: string },
  key: string,
  identities: readonly string[],
): Promise<string> {
  try {
    const sops = readSops(file, text);
    const values = openAll(sops, await dataKeyOf(sops, identities));
    const value = values.get(key);
    if (value === undefined) throw new Unavailable('it has no such value');
    return value;
  } catch (error) {
    if (error instanceof Unavailable) throw new Unavailable(`${file}: ${error.message}`, error.hint);
    throw error;
  }
}

async function dataKeyOf({ age }: SopsFile, identities: readonly string[]): Promise<Uint8Array> {
  const { armor, Decrypter } = await import('age-encryption');
  for (const { enc } of age) {
    const decrypter = new Decrypter();
    identities.forEach((identity) => decrypter.addIdentity(identity));
    try {
      const key = await decrypter.decrypt(armor.decode(enc));
      if (key.byteLength === 32) return key;
    } catch {
      // For somebody else, or damaged: another one may do.
    }
  }
  const recipients = age.map(({ recipient }) => recipient).join(', ');
  throw new Unavailable(
    `none of the age keys here opens it: it is for ${recipients}`,
    'Give Slipway a key of one of them, or add a recipient: `sops rotate --in-place --add-age <recipient> <file>`.',
  );
}

function openAll(sops: SopsFile, key: Uint8Array): Map<string, string> {
  const mac = createHash('sha512');
  if (sops.macOnlyEncrypted) mac.update(ONLY_ENCRYPTED);
  const values = new Map<string, string>();
  for (const leaf of sops.leaves) {
    const opened = leaf.encrypted ? openValue(leaf, key) : { value: shown(leaf), bytes: leaf.bytes };
    if (opened.bytes !== undefined && (leaf.encrypted || !sops.macOnlyEncrypted)) mac.update(opened.bytes);
    values.set(leaf.key, opened.value);
  }
  const stored = openText(sops.mac, key, moment(sops.lastModified));
  const computed = Buffer.from(mac.digest('hex').toUpperCase());
  // Tampering: values that were added, removed or put in another order are each fine on their own.
  if (!stored || stored.byteLength !== computed.byteLength || !timingSafeEqual(stored, computed))
    throw new Unavailable(
      'its MAC does not fit: somebody changed the file without sops',
      'Take it from an earlier commit, or look at what changed and save it with `sops edit`.',
    );
  return values;
}

function openValue({ key: name, path, text }: Leaf, key: Uint8Array): { value: string; bytes: string } {
  if (text === '') return { value: '', bytes: '' };
  const plain = openText(text, key, `${path.join(':')}:`);
  if (!plain)
    throw new Unavailable(
      `the value of ${name} was altered, or moved there from somewhere else`,
      'Take the file from an earlier commit, or set the value anew with `sops edit`.',
    );
  const type = ENCRYPTED.exec(text)?.[4] ?? '';
  return inType(type, plain.toString('utf8'), name);
}

function inType(type: string, value: string, name: string): { value: string; bytes: string } {
  if (type === 'str' || type === 'bytes' || type === 'time') return { value, bytes: value };
  // What cannot be read so counts as it is: errors of parsers would quote it.
  if (type === 'int')
    return { value, bytes: /^[+-]?[0-9]+$/.test(value) ? String(BigInt(value.replace('+', ''))) : value };
  if (type === 'float') return { value, bytes: decimal(Number(value)) };
  if (type === 'bool') return { value: value.toLowerCase(), bytes: /^t(rue)?$|^1$/i.test(value) ? 'True' : 'False' };
  throw new Unavailable(`the value of ${name} is of an unknown type`);
}

/** In clear: a truth as people write it. */
const shown = ({ text, bytes }: Leaf): string => (bytes === 'True' || bytes === 'False' ? text.toLowerCase() : text);

/** @returns undefined where it was encrypted with another key, for another place, or altered since */
function openText(text: string, key: Uint8Array, place: string): Buffer | undefined {
  const [, data, iv, tag] = ENCRYPTED.exec(text) ?? [];
  if (data === undefined || iv === undefined || tag === undefined) return undefined;
  const [nonce, seal] = [Buffer.from(iv, 'base64'), Buffer.from(tag, 'base64')];
  // A shorter tag would be accepted as well, and is easier to forge.
  if (nonce.byteLength === 0 || seal.byteLength !== 16) return undefined;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place)).setAuthTag(seal);
    return Buffer.concat([cipher.update(data, 'base64'), cipher.final()]);
  } catch {
    return undefined;
  }
}

/** As Go prints it again: without fractions of a second. */
const moment = (text: string): string => text.replace(/\.[0-9]+(?=Z|[+-])/, '');
