/** The docker driver on a state directory of its own; what it made is removed at the end, however the test went. */
import { dockerDriver } from '../../reconciler/drivers/docker/driver.ts';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import { openState, type StateDir } from '../../reconciler/state.ts';
import { specHash, type EngineSpec, type RunSpec, type Workload } from '../../reconciler/workload.ts';
import { silent, type Log } from '../../schemas/log.ts';
import { sweep } from './engine.ts';
import { tempDir } from './temp.ts';
import { workload } from './workload.ts';

export interface DockerRig extends AsyncDisposable {
  readonly driver: Driver;
  readonly state: StateDir;
  /** Ends the driver as the end of Slipway would, and starts the next one on the same state. */
  restart(): Promise<Driver>;
}

export async function dockerRig(engine: Engine, log: Log = silent): Promise<DockerRig> {
  const dir = tempDir();
  let state = openState(dir.at('state'));
  const { owner } = state;
  let driver = dockerDriver({ state, log, version: 'test' });
  const close = async (): Promise<void> => {
    await driver[Symbol.asyncDispose]();
    state[Symbol.dispose]();
  };
  return {
    get driver() {
      return driver;
    },
    get state() {
      return state;
    },
    async restart() {
      await close();
      state = openState(dir.at('state'));
      driver = dockerDriver({ state, log, version: 'test' });
      return driver;
    },
    async [Symbol.asyncDispose]() {
      await close();
      await sweep(engine, owner);
      dir[Symbol.dispose]();
    },
  };
}

export interface ImageOptions
  extends
    Partial<Pick<RunSpec, 'transport' | 'http' | 'env' | 'isolation' | 'secretFiles' | 'resources'>>,
    Partial<Omit<Workload, 'run' | 'hash' | 'engine'>> {
  readonly args?: readonly string[];
  /** The engine to run on. */
  readonly place?: EngineSpec;
}

/** A workload that runs from an image. */
export function imageWorkload(image: string, options: ImageOptions = {}): Workload {
  const { args = [], name = 'tiny', place, transport = 'stdio', http, env = [], ...more } = options;
  const { isolation, secretFiles, resources, ...around } = more;
  const run: RunSpec = {
    program: { type: 'image', image, ...(args.length > 0 ? { args } : {}) },
    transport,
    ...(transport === 'stdio' ? {} : { http: http ?? { path: '/mcp' } }),
    env,
    files: [],
    ...(isolation ? { isolation } : {}),
    ...(secretFiles ? { secretFiles } : {}),
    ...(resources ? { resources } : {}),
  };
  const base = workload({ name, argv: ['-'], transport, driver: 'docker' });
  return { ...base, ...around, ...(place ? { engine: place } : {}), run, hash: specHash(run, 'docker') };
}

/** The test server over HTTP. @param options.args more for it */
export function httpWorkload(image: string, { args = [], ...options }: ImageOptions = {}): Workload {
  return imageWorkload(image, { transport: 'http', ...options, args: ['http', ...args] });
}
