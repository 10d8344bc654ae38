/** Tools of one server that look like those of another: a model, or a person, may take one for the other (shadowing). */
import type { Finding } from './findings.ts';
import { bare, visible } from './hidden.ts';

/** A server with the names of its tools. */
export interface Named {
  readonly server: string;
  readonly tools: readonly string[];
}

/** Shorter names differ in one letter because they mean different things: `get` and `set`. */
const LONG = 8;
/** What is told at most: ten servers that are the same say nothing new. */
const MAX_FINDINGS = 100;
const MAX_NAME = 128;
/** How many names that are nearly the same a name is compared with: of more than that, one is enough to be told of. */
const MAX_NEAR = 8;

/** Letters of Cyrillic and Greek that look like Latin ones (after Unicode TR39's confusables). */
const TWINS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['аαᴀ', 'a'],
    ['вβᏴ', 'b'],
    ['сϲᴄ', 'c'],
    ['ԁᏧ', 'd'],
    ['еєε', 'e'],
    ['ɡԍ', 'g'],
    ['һнη', 'h'],
    ['іιїɪ', 'l'],
    ['јϳ', 'j'],
    ['кκ', 'k'],
    ['ӏ', 'l'],
    ['мμ', 'm'],
    ['пո', 'n'],
    ['оοσօ', 'o'],
    ['рρ', 'p'],
    ['ԛ', 'q'],
    ['гᴦ', 'r'],
    ['ѕ', 's'],
    ['тτ', 't'],
    ['υս', 'u'],
    ['ѵν', 'v'],
    ['ԝωѡ', 'w'],
    ['хχ', 'x'],
    ['уγү', 'y'],
    ['ᴢ', 'z'],
  ].flatMap(([twins = '', letter = '']) => [...twins].map((twin) => [twin, letter])),
);

/** What is left of a name when everything is gone that is easily overlooked. */
export function skeleton(name: string): string {
  const plain = bare(name.slice(0, MAX_NAME))
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s_.:/-]+/g, '');
  return [...plain]
    .map((letter) => TWINS[letter] ?? letter)
    .join('')
    .replaceAll('0', 'o')
    .replaceAll(/[1i|]/g, 'l');
}

/** A name that was seen, and up to two servers that have it: one of them is another than whoever comes. */
interface Seen {
  readonly name: string;
  readonly bones: string;
  readonly servers: string[];
}

/** Pairs of tools of two servers whose names are not the same, and look it. In time that grows with the names alone. */
export function lookAlikes(servers: readonly Named[]): Finding[] {
  const seen = new Map<string, Seen[]>();
  const findings = new Map<string, Finding>();
  for (const { server, tools } of servers)
    for (const name of tools) {
      const bones = skeleton(name);
      for (const key of keysOf(bones)) {
        const near = seen.get(key) ?? [];
        for (const other of near) {
          const theirs = other.servers.find((one) => one !== server);
          if (theirs === undefined || other.name === name) continue;
          const how = other.bones === bones ? 'looks like' : 'is one letter away from';
          const message = `its name ${how} that of ${theirs}:${visible(other.name)}`;
          findings.set(`${server} ${name} ${other.name}`, { server, tool: visible(name), kind: 'look-alike', message });
          if (findings.size >= MAX_FINDINGS) return [...findings.values()];
        }
        note(near, { name, bones, servers: [server] });
        seen.set(key, near);
      }
    }
  return [...findings.values()];
}

function note(near: Seen[], now: Seen): void {
  const known = near.find(({ name }) => name === now.name);
  if (!known && near.length < MAX_NEAR) near.push(now);
  else if (known && known.servers.length < 2) known.servers.push(...now.servers);
}

/** Two names have one in common where they are at most one letter apart: itself, and each that it is without a letter. */
function keysOf(bones: string): Set<string> {
  if (bones.length < LONG) return new Set([bones]);
  return new Set([bones, ...Array.from(bones, (_, at) => `${bones.slice(0, at)}${bones.slice(at + 1)}`)]);
}
