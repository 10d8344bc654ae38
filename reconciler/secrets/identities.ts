/** The age identities that Slipway decrypts with: read each time, so that a new key is in use at once and none stays in memory. */
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Unavailable } from './unavailable.ts';

/** Where the key lies unless somebody says otherwise. */
export function defaultKeyFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'slipway', 'age.key');
}

/**
 * From `SLIPWAY_AGE_KEY` (the identities themselves), and the file that `SLIPWAY_AGE_KEY_FILE` names or else
 * {@link defaultKeyFile}.
 * @returns at least one, `AGE-SECRET-KEY-…` @throws Unavailable, with nothing of what was read in it
 */
export async function readIdentities(env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const [given, named] = [env['SLIPWAY_AGE_KEY'], env['SLIPWAY_AGE_KEY_FILE']];
  const file = named || defaultKeyFile(env);
  const text = named || given === undefined ? await readKeyFile(file, Boolean(named)) : undefined;
  const found = [...identitiesIn(given ?? '', 'SLIPWAY_AGE_KEY'), ...identitiesIn(text ?? '', file)];
  if (found.length === 0)
    throw new Unavailable(
      text === undefined && given === undefined ? 'there is no age key' : 'no age key is in what should hold one',
      `Make one with \`slipway secret keygen\`, and name its file in SLIPWAY_AGE_KEY_FILE or put it at ${defaultKeyFile(env)}.`,
    );
  return found;
}

async function readKeyFile(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    const { mode, uid } = await stat(path);
    // As OpenSSH has it: what is this user's is this user's alone. A file that somebody else hands over is theirs to guard.
    if (uid === process.getuid?.() && (mode & 0o077) !== 0)
      throw new Unavailable(`the age key file ${path} can be read by others`, `Close it: chmod 600 ${path}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !isNamed) return undefined;
    const why =
      code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read' : `cannot be read (${code})`;
    throw new Unavailable(`the age key file ${path} ${why}`, 'Correct SLIPWAY_AGE_KEY_FILE, or create the file.');
  }
}

function identitiesIn(text: string, place: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines.some((line) => line.startsWith('-----BEGIN AGE') || line.startsWith('age-encryption.org/')))
    throw new Unavailable(
      `${place} is encrypted itself`,
      'Slipway cannot ask for a passphrase: give it the identity in clear, in a file of mode 600.',
    );
  return lines.flatMap((line, index) => {
    if (line === '' || line.startsWith('#')) return [];
    if (/^AGE-SECRET-KEY-(PQ-)?1[02-9AC-HJ-NP-Z]{50,}$/.test(line)) return [line];
    throw new Unavailable(
      `line ${index + 1} of ${place} is no age identity`,
      'A line holds AGE-SECRET-KEY-1…; keys of SSH and of plugins are not read.',
    );
  });
}
