/**
 * Files that SOPS encrypted (https://github.com/getsops/sops, format of 3.x), as far as they can be read without a key:
 * YAML and JSON, which is YAML too, by their tree; dotenv line by line. Keys stay readable in them, in their order.
 */
import { isMap, isScalar, isSeq, parseAllDocuments, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml';
import { Unavailable } from '../unavailable.ts';
import { isEncryptedBy, rulesOf, type Rules } from './rules.ts';

/** A value and where it is. */
export interface Leaf {
  /** Keys from the top, list indexes among them, joined with dots. */
  readonly key: string;
  /** Keys from the top without list indexes: what SOPS binds a value to. */
  readonly path: readonly string[];
  /** As it is written; `bytes` is how SOPS counts it into its MAC. Absent for null, which is neither. */
  readonly text: string;
  readonly bytes?: string;
  readonly encrypted: boolean;
}

export interface SopsFile {
  readonly leaves: readonly Leaf[];
  /** Armored age files with the data key in them, by recipient. */
  readonly age: readonly { readonly recipient: string; readonly enc: string }[];
  readonly mac: string;
  readonly lastModified: string;
  readonly macOnlyEncrypted: boolean;
}

type Plain = Omit<Leaf, 'encrypted'>;
type Metadata = Readonly<Record<string, unknown>>;

/** @param file its path: `.env` is dotenv, `.json` and all else YAML @throws Unavailable */
export function readSops(file: string, text: string): SopsFile {
  if (file.endsWith('.ini'))
    throw new Unavailable('INI files of SOPS are not read', 'Keep the values as YAML, JSON or dotenv.');
  const { leaves, metadata } = file.endsWith('.env') ? readDotenv(text) : orNotSops(() => readTree(text));
  if (metadata['key_groups'] !== undefined)
    throw new Unavailable('its key is split among key groups', 'Encrypt it for age recipients, without key groups.');
  const age = recipientsIn(metadata['age']);
  if (age.length === 0)
    throw new Unavailable('it has no age recipient', 'Add one: `sops rotate --in-place --add-age <recipient> <file>`.');
  const rules = rulesOf(metadata);
  const [mac, lastModified] = [metadata['mac'], metadata['lastmodified']];
  if (typeof mac !== 'string' || mac === '') throw new Unavailable('it has no MAC', 'Encrypt it anew with sops.');
  if (typeof lastModified !== 'string') throw new Unavailable('it does not say when it was last modified');
  return {
    leaves: leaves.map((leaf) => checked(leaf, rules)),
    age,
    mac,
    lastModified,
    macOnlyEncrypted: String(metadata['mac_only_encrypted']) === 'true',
  };
}

/** Values by key, encrypted ones as they are. What two paths would name alike is refused. @throws Unavailable */
export function valuesOf({ leaves }: SopsFile): Record<string, string> {
  const values = new Map<string, string>();
  for (const { key, text } of leaves) {
    if (values.has(key)) throw new Unavailable(`two of its values would both be called ${key}`, 'Rename one of them.');
    values.set(key, text);
  }
  return Object.fromEntries(values);
}

/** A value in clear where its neighbours are encrypted was put there by hand: nobody vouches for it. */
function checked(leaf: Plain, rules: Rules): Leaf {
  const encrypted = leaf.bytes !== undefined && isEncryptedBy(rules, leaf.path);
  // SOPS leaves what is empty as it is.
  if (encrypted && leaf.text !== '' && !leaf.text.startsWith('ENC['))
    throw new Unavailable(`the value of ${leaf.key} is not encrypted, though it should be`, 'Set it with `sops edit`.');
  return { ...leaf, encrypted };
}

function recipientsIn(list: unknown): SopsFile['age'] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: { recipient?: unknown; enc?: unknown }) =>
    typeof one?.enc === 'string' ? [{ recipient: String(one.recipient), enc: one.enc }] : [],
  );
}

/** Whatever a file is made to do to its reader (aliases of aliases, thousands of brackets), it is no file of SOPS. */
function orNotSops<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Unavailable ? error : notSops('it cannot be read');
  }
}

function readTree(text: string): { leaves: Plain[]; metadata: Metadata } {
  const documents = parseAllDocuments(text, { intAsBigInt: true });
  const [document, ...others] = Array.isArray(documents) ? documents : [];
  if (!document || document.errors.length > 0) throw notSops('it cannot be read');
  if (others.length > 0) throw new Unavailable('it holds several documents', 'Give each a file of its own.');
  const root = document.contents as Node | null;
  if (!isMap(root)) throw notSops('it holds no map');
  const metadata = root.items.find((pair) => keyOf(pair) === 'sops')?.value as Node | undefined;
  if (!isMap(metadata)) throw notSops('it has no part `sops`');
  const leaves = leavesIn(root, [], []).filter(({ key, path }) => path[0] !== 'sops' || !/^sops(\.|$)/.test(key));
  return { leaves, metadata: metadata.toJS(document) as Metadata };
}

function leavesIn(node: unknown, path: readonly string[], place: readonly string[]): Plain[] {
  if (isMap(node))
    return (node as YAMLMap).items.flatMap((pair) =>
      leavesIn(pair.value, [...path, keyOf(pair)], [...place, keyOf(pair)]),
    );
  if (isSeq(node)) return node.items.flatMap((item, index) => leavesIn(item, path, [...place, String(index)]));
  const key = place.join('.');
  if (node === null || node === undefined) return [{ key, path, text: '' }];
  if (!isScalar(node)) throw new Unavailable(`${key} is an alias`, 'Write the value out.');
  const bytes = bytesOf(node);
  return [{ key, path, text: bytes ?? '', ...(bytes === undefined ? {} : { bytes }) }];
}

function keyOf({ key }: Pair): string {
  if (!isScalar(key)) throw new Unavailable('one of its keys is no text');
  return String(key.value);
}

/** How SOPS turns values into bytes: numbers as short as they can be, truths with a capital, days as moments. */
function bytesOf({ value, type }: Scalar): string | undefined {
  if (value === null) return undefined;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return decimal(value);
  const text = String(value);
  return type === 'PLAIN' && /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

/** Without an exponent, as `strconv.FormatFloat(…, 'f', -1, 64)` writes it. */
export function decimal(value: number): string {
  const text = String(value);
  const match = /^(-?)([0-9])(?:\.([0-9]+))?e([+-][0-9]+)$/.exec(text);
  if (!match) return text;
  const [, sign = '', first = '', rest = '', power = ''] = match;
  const [digits, shift] = [first + rest, Number(power)];
  return shift < 0
    ? `${sign}0.${'0'.repeat(-shift - 1)}${digits}`
    : sign + digits.slice(0, shift + 1).padEnd(shift + 1, '0');
}

/** `KEY=value` lines with `\n` for line breaks; what SOPS adds is flat: `sops_age__list_0__map_enc`. */
function readDotenv(text: string): { leaves: Plain[]; metadata: Metadata } {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    if (line === '' || line.startsWith('#')) return [];
    const at = line.indexOf('=');
    if (at < 0) throw notSops('one of its lines is no KEY=value');
    return [[line.slice(0, at), line.slice(at + 1).replaceAll('\\n', '\n')]];
  });
  const own = pairs.filter(([key]) => key.startsWith('sops_'));
  if (own.length === 0) throw notSops('it has no lines that begin with sops_');
  const metadata: Record<string, unknown> = {};
  const age: Record<string, string>[] = [];
  for (const [name, value] of own) {
    const key = name.slice('sops_'.length);
    const listed = /^age__list_([0-9]{1,3})__map_(enc|recipient)$/.exec(key);
    if (listed) (age[Number(listed[1])] ??= {})[listed[2] ?? ''] = value;
    else if (key.startsWith('key_groups')) metadata['key_groups'] = value;
    else metadata[key] = value;
  }
  const leaves = pairs.flatMap(([key, value]) =>
    key.startsWith('sops_') ? [] : [{ key, path: [key], text: value, bytes: value }],
  );
  return { leaves, metadata: { ...metadata, age } };
}

const notSops = (why: string): Unavailable =>
  new Unavailable(`it is no file of SOPS: ${why}`, 'Encrypt it with `sops encrypt --age <recipient>`.');
