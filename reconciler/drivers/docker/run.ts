/**
 * One run of a container's program, as the bridge wants it: its stdio, its end, and how to end it. The connection to the
 * engine may break and come back meanwhile; the program does not notice, and neither do those who speak with it.
 */
import { OUT_OF_MEMORY } from '../driver.ts';
import { Readable, Writable, type Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerInspectInfo } from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import { pause } from '../../async.ts';
import type { Agreed, StdioProcess } from '../../bridge/stdio.ts';
import type { Agreements, RunId } from './agreements.ts';
import { ifThere, isUnreachable, messageOf, statusOf } from './answers.ts';
import { attach, isAccepting, type Sink } from './attach.ts';
import type { Engine } from './engine.ts';
import { outputSince } from './output.ts';
import { after, overlap, Tail } from './resume.ts';

export interface RunContext {
  readonly engine: Engine;
  /** Id of the instance. */
  readonly instance: string;
  /** Id of its container, if there is one. */
  readonly container: string | undefined;
  /** Creates the container: there is none yet, or it was removed behind our back. @returns its id */
  readonly create: () => Promise<string>;
  readonly agreements: Agreements;
  /** Called before we stop the container ourselves. */
  readonly onStop: () => void;
}

/** Seconds that a program has between SIGTERM and SIGKILL. */
const GRACE_S = 2;
/** More unread log output than this is dropped: a connection that is not read freezes the container. */
const MAX_UNREAD_LOG = 1024 * 1024;
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 2000;
/** How long an engine that is going down may go on to answer. */
const AGAIN_MS = 1000;

/**
 * Starts the container, or takes over the one that runs.
 * @param again whether an engine that is at fault itself may be asked once more
 * @throws SlipwayError start-failed when the engine cannot start its program
 */
export async function startRun(context: RunContext, again = true): Promise<ContainerRun> {
  const { engine, create } = context;
  const found = context.container && (await ifThere(engine.docker.getContainer(context.container).inspect()));
  const info = found || (await engine.docker.getContainer(await create()).inspect());
  const container = engine.docker.getContainer(info.Id);
  const adopted = info.State.Running;
  const run = new ContainerRun(context, info);
  try {
    await run.connect();
    if (!adopted) await container.start();
    if (info.State.Paused) await container.unpause();
    run.started(adopted ? info : await container.inspect(), adopted);
  } catch (error) {
    run.detach();
    if (isUnreachable(error)) throw error;
    // An engine on its way down refuses with what it misses itself, a socket that is gone say. That is not the program's fault.
    if (again && (statusOf(error) ?? 0) >= 500) {
      await delay(AGAIN_MS);
      return startRun({ ...context, container: info.Id }, false);
    }
    throw new SlipwayError('start-failed', `${plain(messageOf(error))}.`, { cause: error });
  }
  return run;
}

export class ContainerRun implements StdioProcess {
  readonly #context: RunContext;
  readonly #ended = Promise.withResolvers<string>();
  readonly #closed = new AbortController();
  readonly #tail = new Tail();
  /** When something was last heard. ms since 1970 */
  #heardAt = Date.now();
  #over = false;
  #info: ContainerInspectInfo;
  #socket: Duplex | undefined;
  /** The connection, while what is written can be written to it. */
  #live: Duplex | undefined;
  #waiting: (() => void)[] = [];
  agreed?: Agreed;
  outage = false;
  readonly stdin: Writable;
  readonly stdout = new Readable({ read() {} });
  readonly stderr = new Readable({ read() {} });
  readonly ended = this.#ended.promise;

  constructor(context: RunContext, info: ContainerInspectInfo) {
    this.#context = context;
    this.#info = info;
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      // What is said in one turn goes in one piece: each piece costs the engine several copies.
      writev: (pieces, done) => this.#write(Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), done),
    });
  }

  /** As the engine described it when this run began. */
  get info(): ContainerInspectInfo {
    return this.#info;
  }

  get pid(): number {
    return this.#info.State.Pid;
  }

  remember(agreed: Agreed): void {
    this.#context.agreements.keep(this.#context.instance, this.#id, agreed);
  }

  /** Connects to its stdio. @param hear gets what it prints @throws the engine's refusal */
  async connect(options: { paused?: boolean } = {}, hear = (chunk: Buffer) => this.#hear(chunk)): Promise<void> {
    const sink: Sink = {
      stdout: hear,
      stderr: (chunk) => void (this.stderr.readableLength < MAX_UNREAD_LOG && this.stderr.push(chunk)),
    };
    const socket = await attach(this.#context.engine, this.#info.Id, sink, options);
    this.#socket = socket;
    socket.once('close', () => void this.#lost());
    if (socket.destroyed) void this.#lost();
  }

  #hear(chunk: Buffer): void {
    this.#tail.push(chunk);
    this.#heardAt = Date.now();
    this.stdout.push(chunk);
  }

  /** It runs: from now on what is written goes there. */
  started(info: ContainerInspectInfo, adopted: boolean): void {
    this.#info = info;
    const agreed = adopted ? this.#context.agreements.of(this.#context.instance, this.#id) : undefined;
    if (agreed) this.agreed = agreed;
    // Half a line that was left behind would swallow the next one.
    if (adopted) this.#socket?.write('\n');
    this.#live = this.#socket;
    for (const write of this.#waiting.splice(0)) write();
  }

  /** While the engine is away, what is written waits. */
  #write(chunk: Buffer, done: () => void): void {
    const wait = (): void => void this.#waiting.push(() => this.#write(chunk, done));
    if (this.#live) this.#live.write(chunk, (error) => (error ? wait() : done()));
    else wait();
  }

  /** @throws when the engine does not answer for a while: then it may still run */
  async stop(): Promise<void> {
    if (this.#over) return; // What happens to it now is not our doing.
    this.#context.onStop();
    const container = this.#context.engine.docker.getContainer(this.#info.Id);
    for (let wait = FIRST_PAUSE_MS; ; wait *= 2) {
      try {
        await ifThere(container.stop({ t: GRACE_S }));
        break;
      } catch (error) {
        if (statusOf(error) === 304) break; // It has ended meanwhile.
        const away = statusOf(error) === undefined && !this.#closed.signal.aborted;
        if (!away || wait > LAST_PAUSE_MS) throw error;
        await pause(wait, this.#closed.signal).catch(() => {});
      }
    }
    await this.ended;
  }

  detach(): void {
    this.#closed.abort();
    this.#socket?.destroy();
  }

  get #id(): RunId {
    return { container: this.#info.Id, startedAt: this.#info.State.StartedAt };
  }

  /** The connection ended: with the program, or without it. */
  async #lost(): Promise<void> {
    const { signal } = this.#closed;
    this.#live = undefined;
    for (let wait = FIRST_PAUSE_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_PAUSE_MS)) {
      try {
        const why = await this.#look();
        if (why === undefined) return;
        this.outage ||= !(await isAccepting(this.#context.engine));
        this.#end(this.outage ? `its engine was stopped (${why})` : why);
        return;
      } catch {
        // The engine is away. The container may well be alive; if not, it ended with the engine.
        this.outage = true;
        await pause(wait * (0.5 + Math.random()), signal).catch(() => {});
      }
    }
  }

  /** @returns why the run is over, or nothing when it goes on @throws when the engine does not answer */
  async #look(): Promise<string | undefined> {
    const { engine } = this.#context;
    const info = await ifThere(engine.docker.getContainer(this.#info.Id).inspect());
    if (!info) return 'its container was removed';
    if (!info.State.Running) return reasonOf(info);
    if (info.State.StartedAt !== this.#info.State.StartedAt) return 'its container was restarted';
    await this.#catchUp(info);
    this.started(info, true);
    this.outage = false;
    return undefined;
  }

  /** Connects again, and passes on what was said meanwhile, all of it once and in order. */
  async #catchUp(info: ContainerInspectInfo): Promise<void> {
    let twice = 0;
    let first = true;
    let log: Buffer = Buffer.alloc(0);
    await this.connect({ paused: true }, (chunk) => {
      if (first) twice = overlap(log, chunk);
      first = false;
      const fresh = chunk.subarray(Math.min(twice, chunk.length));
      twice -= chunk.length - fresh.length;
      if (fresh.length > 0) this.#hear(fresh);
    });
    log = await outputSince(this.#context.engine, info.Id, this.#heardAt);
    const missed = after(this.#tail.bytes, log);
    // Where the place cannot be found again, half a line may be left: an empty one ends it.
    this.#hear(missed ?? Buffer.concat([Buffer.from('\n'), log]));
    this.#socket?.resume();
  }

  #end(why: string): void {
    this.#over = true;
    this.#closed.abort();
    this.stdout.push(null);
    this.stderr.push(null);
    this.stdin.destroy();
    this.#ended.resolve(why);
  }
}

/** A shell's and an init's way to say that a program was not found or may not be executed. */
const NOT_EXECUTED = [126, 127];
const SIGNALS: Record<number, string> = { 134: 'SIGABRT', 137: 'SIGKILL', 139: 'SIGSEGV', 143: 'SIGTERM' };

/** Why a container does not run, in words. */
export function reasonOf({ State: state, HostConfig: { Memory: limit } }: ContainerInspectInfo): string {
  if (state.OOMKilled) return `${OUT_OF_MEMORY}${limit ? ` of ${Math.round(limit / 2 ** 20)} MiB` : ''}`;
  if (NOT_EXECUTED.includes(state.ExitCode)) return `its program could not be executed (exit code ${state.ExitCode})`;
  const signal = SIGNALS[state.ExitCode];
  const why = signal ? `it was ended by ${signal}` : `it exited with code ${state.ExitCode}`;
  return state.Error ? `${why} (${plain(state.Error)})` : why;
}

/** The innermost of the errors that an engine and its runtime wrap around each other. */
function plain(message: string): string {
  const last = message.split(/: (?=[^:]*: |exec: |[a-z]+ [a-z]+)/).at(-1) ?? message;
  return (/exec: .*/.exec(message)?.[0] ?? last).replace(/\.$/, '').slice(0, 500);
}
