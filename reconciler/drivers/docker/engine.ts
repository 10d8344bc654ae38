/** One container engine: how to talk to it, and what it is. */
import { readFileSync } from 'node:fs';
import type { Agent as HttpAgent, RequestOptions } from 'node:http';
import Dockerode from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import { Agent } from '../../../schemas/node-http.ts';
import type { EngineSpec } from '../../workload.ts';
import { ANSWER_MS, tookTooLong } from './answers.ts';
import { engineAddress, type EngineAddress } from './address.ts';
import { reachOf, weaknessesOf, type Reach, type SystemInfo } from './reach.ts';
import { sshAgent } from './ssh.ts';

export interface Engine extends Disposable {
  /** Of the Engine resource; `default` for the one of the environment. */
  readonly name: string;
  readonly docker: Dockerode;
  /** For requests that dockerode cannot make. */
  readonly request: RequestOptions & { readonly protocol: 'http:' | 'https:' };
  readonly address: EngineAddress;
  readonly info: EngineInfo;
  /** As the newest config says. */
  runners: EngineSpec['runners'];
}

export interface EngineInfo {
  /** Stays the same over restarts of the engine. */
  readonly id: string;
  readonly version: string;
  /** Podman's API has the same shape and other habits. */
  readonly podman: boolean;
  /** On this host, so that its containers' addresses and our files can be reached from both sides. */
  readonly local: boolean;
  readonly reach: Reach;
  /** What its host cannot do for any container, for people. */
  readonly weaknesses: readonly string[];
}

/** How long a first answer may take. */
const HELLO_MS = 10_000;

/** @throws SlipwayError engine-unreachable */
export async function openEngine(spec: EngineSpec | undefined): Promise<Engine> {
  const address = engineAddress(spec);
  const name = spec?.name ?? 'default';
  let request: Engine['request'] | undefined;
  const close = (): void => void (request?.agent instanceof Agent && request.agent.destroy());
  try {
    const connected = connect(address);
    const { docker } = connected;
    request = connected.request;
    const [version, info] = await Promise.race([Promise.all([docker.version(), docker.info()]), timeout()]);
    const components = (version as { Components?: { Name?: string }[] }).Components ?? [];
    return {
      name,
      docker,
      request,
      address,
      info: {
        id: String((info as { ID?: string }).ID ?? address.host),
        version: version.Version,
        podman: components.some((component) => component.Name === 'Podman Engine'),
        local: address.host.startsWith('unix://'),
        reach: reachOf(address.host, info as SystemInfo),
        weaknesses: weaknessesOf(info as SystemInfo),
      },
      runners: spec?.runners ?? {},
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    if (error instanceof SlipwayError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new SlipwayError('engine-unreachable', `The engine ${name} at ${address.host} does not answer: ${why}.`, {
      cause: error,
    });
  }
}

function connect({ host, tls }: EngineAddress): Pick<Engine, 'docker' | 'request'> {
  const { protocol, hostname, port, pathname } = new URL(host);
  const agent = protocol === 'ssh:' ? sshAgent(host) : new Agent({ keepAlive: true });
  if (protocol === 'unix:') {
    const socketPath = decodeURIComponent(pathname);
    return {
      docker: dockerode({ socketPath, agent }),
      request: { protocol: 'http:', socketPath, agent },
    };
  }
  if (protocol === 'ssh:')
    // The address means nothing: every connection of this agent goes through ssh.
    return {
      docker: dockerode({ protocol: 'http', host: 'docker', port: 80, agent }),
      request: { protocol: 'http:', host: 'docker', agent },
    };
  const files = tls && {
    ...(tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) }),
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
  };
  const secure = files !== undefined;
  const target = { host: hostname, port: Number(port || (secure ? 2376 : 2375)), ...files };
  return {
    docker: dockerode({ protocol: secure ? 'https' : 'http', ...target }),
    request: { protocol: secure ? 'https:' : 'http:', ...target },
  };
}

/** How long one that hangs is given from then on, until it answers: what waits for it asks one question after another. */
const HANGING_MS = 5000;

/** What dockerode would take from the environment, where DOCKER_HOST may mean another engine than the one that is asked for. */
const NOTHING_OF_THE_ENVIRONMENT = {
  host: undefined,
  port: undefined,
  socketPath: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  pathPrefix: undefined,
};

type Options = Dockerode.DockerOptions & { readonly agent?: HttpAgent };
type Answered = (error: unknown, answer?: unknown) => void;
interface Modem {
  dial(options: { isStream?: boolean; abortSignal?: AbortSignal }, done: Answered): void;
}

/**
 * It hands the agent on to node:http, though its types do not say so. Its questions have no time limit of their own, and one
 * whose connection ends within the answer is never settled: here every answer comes, or it is an error. Streams (pulls,
 * builds, events) take as long as they take.
 */
function dockerode(options: Options): Dockerode {
  const docker = new Dockerode({
    ...NOTHING_OF_THE_ENVIRONMENT,
    protocol: 'http',
    ...options,
  } as Dockerode.DockerOptions);
  const modem = docker.modem as Modem;
  const dial = modem.dial.bind(modem);
  let patience = ANSWER_MS;
  modem.dial = (question, done) => {
    if (question.isStream) return dial(question, done);
    const late = AbortSignal.timeout(patience);
    const { abortSignal } = question;
    let settled = false;
    const settle: Answered = (error, answer) => {
      if (settled) return;
      settled = true;
      late.removeEventListener('abort', expire);
      if (!error) patience = ANSWER_MS;
      done(error, answer);
    };
    const expire = (): void => {
      patience = HANGING_MS;
      settle(tookTooLong());
    };
    late.addEventListener('abort', expire);
    dial({ ...question, abortSignal: abortSignal ? AbortSignal.any([abortSignal, late]) : late }, settle);
  };
  return docker;
}

async function timeout(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, HELLO_MS).unref());
  throw new Error(`no answer within ${HELLO_MS / 1000} s`);
}
