/** The secrets of a process: in its environment, and as files in memory. Opened for each start, and kept by nobody. */
import type { OpenSecret } from '../../../schemas/upstream-auth.ts';
import { refreshSecretFiles, removeSecretFiles, sweepSecretFiles } from '../../secrets/files.ts';
import { openEnv, secretOpener } from '../../secrets/secrets.ts';
import type { StateDir } from '../../state.ts';
import type { RunSpec } from '../../workload.ts';
import { CREDENTIALS } from './environment.ts';

export interface Given {
  /** Where its files are. */
  readonly places: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
  /** What must be masked in whatever it prints. */
  readonly secrets: readonly string[];
}

/** Containers of the same Slipway have files of their own there. */
const ownerOf = (owner: string): string => `${owner.slice(0, 8)}-process`;

/** What instances of another Slipway left behind. @param ids `<instance>@<owner>` */
export async function removeOthers(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const [instance = '', owner = ''] = id.split('@');
    if (/^[0-9a-f]{8}$/.test(owner) && /^[a-z0-9-]+$/.test(instance)) await removeSecretFiles(ownerOf(owner), instance);
  }
}

export class ProcessSecrets {
  readonly #owner: string;
  readonly #open: OpenSecret;

  constructor({ owner, paths }: StateDir) {
    this.#owner = ownerOf(owner);
    this.#open = secretOpener(paths);
  }

  /** Forgets what an earlier run left behind: its processes are gone. */
  async sweep(): Promise<void> {
    await sweepSecretFiles(this.#owner, []);
  }

  /** @returns the directory of its files; undefined where it has none @throws SlipwayError as {@link refreshSecretFiles} */
  async files(id: string, { secretFiles = [] }: RunSpec): Promise<string | undefined> {
    return secretFiles.length === 0 ? undefined : (await this.#refresh(id, secretFiles)).path;
  }

  /** @throws SlipwayError as {@link refreshSecretFiles} */
  async give(id: string, { env, secretFiles = [] }: RunSpec): Promise<Given> {
    const { variables, secrets } = await openEnv(env, this.#open);
    if (secretFiles.length === 0) return { places: {}, variables, secrets };
    const files = await this.#refresh(id, secretFiles);
    return { places: { [CREDENTIALS]: files.path }, variables, secrets: [...secrets, ...files.secrets] };
  }

  remove(id: string): Promise<void> {
    return removeSecretFiles(this.#owner, id);
  }

  #refresh(id: string, files: NonNullable<RunSpec['secretFiles']>) {
    return refreshSecretFiles(this.#owner, id, files, this.#open);
  }
}
