/** Makes an instance's container: its image, its network, its secrets, and then the container itself. */
import type { ContainerInspectInfo } from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { redactor } from '../../../schemas/sensitive.ts';
import type { HttpProcess } from '../../bridge/http-running.ts';
import type { LogFile } from '../../bridge/log-file.ts';
import { openEnv } from '../../secrets/secrets.ts';
import type { StateDir } from '../../state.ts';
import type { Workload } from '../../workload.ts';
import { createNamed } from './create.ts';
import type { Engine } from './engine.ts';
import { instanceLabels, type Owner } from './labels.ts';
import type { ContainerRun } from './run.ts';

export interface Wanted {
  readonly engine: Engine;
  readonly workload: Workload;
  readonly index: number;
  readonly id: string;
  readonly log: LogFile;
}

export class Maker {
  readonly #options: { readonly owner: Owner; readonly log: Log; readonly state: StateDir };

  constructor(options: { readonly owner: Owner; readonly log: Log; readonly state: StateDir }) {
    this.#options = options;
  }

  /** @returns the container's id @throws SlipwayError */
  async create({ engine, workload, index, id }: Wanted, signal?: AbortSignal): Promise<string> {
    const { program, transport } = workload.run;
    if (program.type !== 'image') throw new SlipwayError('no-driver', 'not yet');
    const { variables } = await openEnv(workload.run.env);
    signal?.throwIfAborted();
    return createNamed(engine, id, {
      Image: program.image,
      ...(program.entrypoint ? { Entrypoint: [...program.entrypoint] } : {}),
      ...(program.args ? { Cmd: [...program.args] } : {}),
      Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      Labels: instanceLabels(this.#options.owner, workload, index),
      OpenStdin: transport === 'stdio',
      StdinOnce: false,
      HostConfig: { Init: true, NetworkMode: transport === 'stdio' ? 'none' : 'bridge' },
    });
  }

  /** Hides what the container was given as a secret. */
  async masker(workload: Workload, info: ContainerInspectInfo): Promise<(text: string) => string> {
    const names = new Set(workload.run.env.filter((entry) => entry.secret).map((entry) => entry.name));
    const given = info.Config.Env.map((entry) => entry.split(/=(.*)/s)).filter(([name = '']) => names.has(name));
    return redactor(given.map(([, value = '']) => value));
  }

  async listening(_engine: Engine, workload: Workload, run: ContainerRun): Promise<HttpProcess> {
    const ip = Object.values(run.info.NetworkSettings.Networks)[0]?.IPAddress;
    return Object.assign(run, { url: `http://${ip}:${workload.run.http?.port}${workload.run.http?.path}` });
  }
}
