/**
 * Text that is printed as it reads. Terminal injection: names of tools and methods come from servers and clients, and what
 * their control characters mean to a terminal is theirs to say: colours, titles, lines that overwrite others.
 */
export const plain = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

/** The same for text of several lines. */
export const plainLines = (text: string): string => text.split('\n').map(plain).join('\n');
