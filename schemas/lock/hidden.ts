/**
 * Characters that a model reads and a person does not see: a tool's description can give orders in them (tool poisoning,
 * "ASCII smuggling" with Unicode's tag block, right-to-left overrides). Here they are found, named, and made visible.
 */

/** Sorts of hidden characters, as people call them, the narrow ones first. */
const SORTS: readonly (readonly [name: string, set: string])[] = [
  ['tag', String.raw`\u{E0000}-\u{E007F}`],
  ['variation selector', String.raw`\uFE00-\uFE0F\u{E0100}-\u{E01EF}\u180B-\u180D\u180F`],
  ['bidirectional control', String.raw`\p{Bidi_Control}`],
  [
    'zero-width',
    String.raw`\u00AD\u034F\u115F\u1160\u17B4\u17B5\u180E\u200B-\u200D\u2060-\u206F\u2800\u3164\uFEFF\uFFA0`,
  ],
  ['control', String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}`],
];

/** Scripts that are written with zero-width joiners. */
const JOINING = ['Arabic', 'Bengali', 'Devanagari', 'Gujarati', 'Gurmukhi', 'Kannada', 'Malayalam', 'Oriya']
  .concat(['Sinhala', 'Tamil', 'Telugu', 'Mongolian'])
  .map((script) => String.raw`\p{Script=${script}}`)
  .join('');

/** What is no secret although it cannot be seen: a part of an emoji, or of a word of such a script. */
const HARMLESS = [
  String.raw`(?<=\p{Extended_Pictographic})\uFE0F(?![\uFE00-\uFE0F\u{E0100}-\u{E01EF}])`,
  String.raw`(?<=[0-9#*])\uFE0F(?=\u20E3)`,
  String.raw`(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D(?=\p{Extended_Pictographic})`,
  String.raw`(?<=[${JOINING}])[\u200C\u200D](?=[${JOINING}])`,
  String.raw`[\n\t]`,
].join('|');

const HIDDEN = new RegExp(`(?!${HARMLESS})[${SORTS.map(([, set]) => set).join('')}]`, 'gu');
const BY_SORT = SORTS.map(([name, set]) => [name, new RegExp(`[${set}]`, 'u')] as const);

/** How long a hidden message may be where it is told (characters). */
const MAX_SHOWN = 80;

/** Whether anything in the text is hidden. */
export const hides = (text: string): boolean => text.search(HIDDEN) >= 0;

/** The text as a person has to see it: `\u{200B}` for what is hidden. No two texts become the same. */
export function visible(text: string): string {
  return text
    .replaceAll(String.raw`\u{`, String.raw`\u{5C}u{`)
    .replaceAll(HIDDEN, (character) => String.raw`\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`);
}

/** The text as it was before {@link visible}. */
export function unescaped(text: string): string {
  return text.replaceAll(/\\u\{([0-9A-F]{1,6})\}/g, (whole, digits: string) => {
    const point = Number.parseInt(digits, 16);
    return point > 0x10_ff_ff ? whole : String.fromCodePoint(point);
  });
}

/** Without what is hidden: what is left of `ig\u{200B}nore` is a word again. */
export const bare = (text: string): string => text.replaceAll(HIDDEN, '');

/** `2 zero-width, 6 tag characters that read "ignore"`; nothing where nothing is hidden. */
export function hiddenIn(text: string): string | undefined {
  const found = text.match(HIDDEN);
  if (!found) return undefined;
  const sorts = Map.groupBy(found, (one) => BY_SORT.find(([, fits]) => fits.test(one))?.[0] ?? 'control');
  const told = [...sorts].map(([name, list]) => `${list.length} ${name}`).join(', ');
  const said = messageIn(found);
  return `${told} character${found.length === 1 ? '' : 's'}${said === '' ? '' : ` that read ${JSON.stringify(said)}`}`;
}

/** What tag characters spell: each stands for one of ASCII. */
function messageIn(characters: readonly string[]): string {
  const points = characters.map((one) => (one.codePointAt(0) ?? 0) - 0xe_00_00);
  const letters = points.filter((point) => point >= 0x20 && point < 0x7f).map((point) => String.fromCharCode(point));
  const text = letters.join('');
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
