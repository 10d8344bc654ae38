/** Makes an instance's container: its image, its network, its secrets, and then the container itself. */
import { join } from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';
import { SlipwayError, toSlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { redactor } from '../../../schemas/sensitive.ts';
import type { OpenSecret } from '../../../schemas/upstream-auth.ts';
import type { HttpProcess } from '../../bridge/http-running.ts';
import type { LogFile } from '../../bridge/log-file.ts';
import { openEnv, secretOpener } from '../../secrets/secrets.ts';
import type { SecretFilesDir } from '../../secrets/files.ts';
import type { StateDir } from '../../state.ts';
import type { SecretFile, Workload } from '../../workload.ts';
import { isUnreachable, messageOf } from './answers.ts';
import { createNamed } from './create.ts';
import type { Engine } from './engine.ts';
import { Images } from './images.ts';
import { instanceLabels, type Owner } from './labels.ts';
import { ensureNetwork, keepNetworks, type Attachment, type ProxyTrouble } from './networks.ts';
import type { Place } from './place.ts';
import { containerOptions, exposures } from './posture.ts';
import { endpointOf } from './reach.ts';
import type { ContainerRun } from './run.ts';
import { heldSecrets, refreshSecretFiles } from './secret-files.ts';

export interface MakerOptions {
  readonly owner: Owner;
  readonly state: StateDir;
  readonly log: Log;
  /** Called when the tag that an image was pulled by may have moved. */
  readonly moved: () => void;
}

const NEVER = new AbortController().signal;

export interface Wanted {
  readonly engine: Engine;
  readonly workload: Workload;
  readonly index: number;
  /** Of the instance. */
  readonly id: string;
  readonly log: LogFile;
}

export class Maker implements Disposable {
  readonly #owner: Owner;
  readonly #log: Log;
  readonly #open: OpenSecret;
  readonly images: Images;

  constructor({ owner, state, log, moved }: MakerOptions) {
    this.#owner = owner;
    this.#log = log;
    this.#open = secretOpener(state.paths);
    const notes = join(state.paths.containers, 'images.json');
    this.images = new Images({ owner, log, notes, changed: moved, secrets: this.#open });
  }

  /** @returns the container's id @throws SlipwayError; the signal's reason */
  async create({ engine, workload, index, id, log }: Wanted, signal: AbortSignal): Promise<string> {
    const { env, program, files, secretFiles = [] } = workload.run;
    if (files.length > 0)
      throw new SlipwayError('start-failed', 'Files of the config repo cannot be given to a container.', {
        hint: 'Put them into the image, or run the server as a process.',
      });
    const output = (line: string): void => log.write('slipway', line);
    const image = await this.images.ensure(engine, workload, { signal, output });
    const network = await this.attach(engine, workload, signal);
    const { variables } = await openEnv(env, this.#open);
    const secrets = secretFiles.length === 0 ? undefined : await this.#refresh(engine, id, secretFiles);
    signal.throwIfAborted();
    const options = containerOptions({
      id,
      workload,
      network,
      image: image.id,
      volumes: await volumesOf(engine, image.id),
      labels: instanceLabels(this.#owner, workload, index),
      env: variables,
      podman: engine.info.podman,
      ...('entrypoint' in program && program.entrypoint ? { entrypoint: program.entrypoint } : {}),
      ...('args' in program && program.args ? { args: program.args } : {}),
      ...(secrets ? { secretsDir: secrets.path } : {}),
    });
    try {
      return await createNamed(engine, id, options);
    } catch (error) {
      if (error instanceof SlipwayError || isUnreachable(error)) throw error;
      throw new SlipwayError('start-failed', `The container could not be made: ${messageOf(error)}.`, { cause: error });
    }
  }

  /** Makes the network that the workload belongs on, with what belongs to it. */
  attach(engine: Engine, workload: Workload, signal: AbortSignal): Promise<Attachment> {
    return ensureNetwork(engine, this.#owner, workload, { image: () => this.images.node(engine, signal) });
  }

  /** Hides what the container was given as a secret, whatever the Secret says today. */
  async masker(
    engine: Engine,
    id: string,
    workload: Workload,
    info: ContainerInspectInfo,
  ): Promise<(text: string) => string> {
    const { env, secretFiles = [] } = workload.run;
    const names = new Set(env.filter((entry) => entry.secret).map((entry) => entry.name));
    const given = info.Config.Env.map((entry) => entry.split(/=(.*)/s)).filter(([name = '']) => names.has(name));
    const files = secretFiles.length === 0 ? [] : await this.#secretsOf(engine, id, secretFiles);
    return redactor([...given.map(([, value = '']) => value), ...files]);
  }

  /** What an instance has in its files: where that cannot be renewed now, what it was given before. */
  async #secretsOf(engine: Engine, id: string, files: readonly SecretFile[]): Promise<readonly string[]> {
    try {
      return (await this.#refresh(engine, id, files)).secrets;
    } catch (error) {
      this.#log('warn', `secrets of ${id} stay as they are: ${toSlipwayError(error).message}`);
      return heldSecrets(this.#owner, id);
    }
  }

  #refresh(engine: Engine, id: string, secretFiles: readonly SecretFile[]): Promise<SecretFilesDir> {
    return refreshSecretFiles(engine, this.#owner, id, { secretFiles, open: this.#open });
  }

  /** A value that changed is masked first, and in its file then; the old one stays masked. */
  async renewSecrets(id: string, { engine, workload, log }: Place): Promise<void> {
    const { secretFiles = [] } = workload.run;
    if (secretFiles.length === 0) return;
    const held = new Set(await heldSecrets(this.#owner, id));
    const open: OpenSecret = async (use) => {
      const value = await this.#open(use);
      if (!held.has(value)) log.maskToo(redactor([value]));
      return value;
    };
    await refreshSecretFiles(engine, this.#owner, id, { secretFiles, open });
  }

  /** Looks after the networks of workloads, and what belongs to them. */
  keepNetworks(engine: Engine, workloads: readonly Workload[]): Promise<ProxyTrouble[]> {
    return keepNetworks(engine, this.#owner, workloads, { image: () => this.images.node(engine, NEVER) });
  }

  listening(workload: Workload, run: ContainerRun): HttpProcess {
    const url = endpointOf(workload, run.info);
    if (url === undefined) throw new SlipwayError('start-failed', 'Its container ended before it could be reached.');
    return Object.assign(run, { url });
  }

  /** In what an instance is less shut in than it could be. */
  exposed({ info }: Engine, workload: Workload, attachment: Attachment): string[] {
    return [...exposures(workload), ...attachment.exposed, ...info.weaknesses];
  }

  [Symbol.dispose](): void {
    this.images[Symbol.dispose]();
  }
}

/** Folders that an image declares as volumes: an engine would give each a place on the host's disk, without a limit. */
async function volumesOf(engine: Engine, image: string): Promise<string[]> {
  const { Config: config } = await engine.docker.getImage(image).inspect();
  return Object.keys(config?.Volumes ?? {});
}
