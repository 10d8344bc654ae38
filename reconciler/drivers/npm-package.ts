/** What drivers that run npm packages share. */

export interface NpmProgram {
  readonly name: string;
  readonly version: string;
  readonly bin?: string;
}

export interface NpmManifest {
  readonly bin?: string | Readonly<Record<string, string>>;
}

/**
 * Which file of a package is its program: the one asked for, else its only one, else the one with the package's name.
 * It uses nothing outside itself, because its text also runs inside the build of runner images.
 */
export function chooseBin(manifest: NpmManifest, program: NpmProgram): { file: string } | { problem: string } {
  const short = program.name.split('/').at(-1) ?? program.name;
  const bins = typeof manifest.bin === 'string' ? { [short]: manifest.bin } : (manifest.bin ?? {});
  const names = Object.keys(bins);
  const chosen = program.bin ?? (names.length === 1 ? names[0] : undefined) ?? short;
  const file = bins[chosen];
  if (file !== undefined) return { file };
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  return { problem: `${program.name}@${program.version} has no program ${chosen}: ${known}.` };
}
