/**
 * Files as SOPS writes them, made without any code of ours that reads them: from the format's description in
 * github.com/getsops/sops (aes/cipher.go, sops.go, stores/). There is no sops here to make them.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { armor, Encrypter } from 'age-encryption';

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

export interface SopsOptions {
  readonly recipients: readonly string[];
  /** What goes into the file's own part: `{ encrypted_regex: '^x' }`. */
  readonly rule?: Readonly<Record<string, string>>;
  readonly onlyEncrypted?: boolean;
  /** Which keys on the way to a value leave it in clear. Default: those that end with `_unencrypted`. */
  readonly clear?: (path: readonly string[]) => boolean;
  readonly lastModified?: string;
}

export interface Encrypted {
  readonly tree: { readonly [key: string]: Value };
  readonly sops: {
    readonly age: readonly { readonly recipient: string; readonly enc: string }[];
    readonly lastmodified: string;
    readonly mac: string;
    readonly version: string;
    readonly [key: string]: unknown;
  };
}

const AT = '2026-11-21T08:00:00Z';

function encrypt(text: string, type: string, key: Buffer, place: string): string {
  if (text === '') return '';
  const iv = randomBytes(32);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(place));
  const data = Buffer.concat([cipher.update(text), cipher.final()]);
  const parts = [data, iv, cipher.getAuthTag()].map((part) => part.toString('base64'));
  return `ENC[AES256_GCM,data:${parts[0]},iv:${parts[1]},tag:${parts[2]},type:${type}]`;
}

function typed(value: string | number | boolean): [text: string, type: string] {
  if (typeof value === 'boolean') return [value ? 'True' : 'False', 'bool'];
  if (typeof value === 'number') return [String(value), Number.isInteger(value) ? 'int' : 'float'];
  return [value, 'str'];
}

export async function sopsEncrypt(tree: { readonly [key: string]: Value }, options: SopsOptions): Promise<Encrypted> {
  const { recipients, rule = {}, onlyEncrypted = false, lastModified = AT } = options;
  const clear = options.clear ?? ((path) => path.some((part) => part.endsWith('_unencrypted')));
  const key = randomBytes(32);
  const mac = createHash('sha512');
  if (onlyEncrypted) mac.update(createHash('sha256').update('sops').digest());
  const walk = (value: Value, path: readonly string[]): Value => {
    if (value === null) return null;
    if (Array.isArray(value)) return value.map((item: Value) => walk(item, path));
    if (typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item, [...path, name])]));
    const [text, type] = typed(value as string);
    const isClear = clear(path);
    if (!isClear || !onlyEncrypted) mac.update(text);
    return isClear ? value : encrypt(text, type, key, `${path.join(':')}:`);
  };
  const encrypted = walk(tree, []) as Encrypted['tree'];
  const age = await Promise.all(
    recipients.map(async (recipient) => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      return { recipient, enc: armor.encode(await encrypter.encrypt(key)) };
    }),
  );
  return {
    tree: encrypted,
    sops: {
      age,
      lastmodified: lastModified,
      mac: encrypt(mac.digest('hex').toUpperCase(), 'str', key, lastModified),
      ...rule,
      ...(onlyEncrypted ? { mac_only_encrypted: true } : {}),
      version: '3.13.2',
    },
  };
}

/** As a dotenv file: values on one line each, the file's own part flat. */
export function dotenv({ tree, sops: { age, ...rest } }: Encrypted): string {
  const flat = age.flatMap(({ recipient, enc }, index) => [
    [`sops_age__list_${index}__map_enc`, enc],
    [`sops_age__list_${index}__map_recipient`, recipient],
  ]);
  const own = [...flat, ...Object.entries(rest).map(([name, value]) => [`sops_${name}`, String(value)])];
  const lines = [...Object.entries(tree), ...own].map(
    ([name, value]) => `${name}=${String(value).replaceAll('\n', '\\n')}`,
  );
  return `# made for a test\n${lines.join('\n')}\n`;
}
