/** Where an instance's container is, and what is known of it beside what the bridge knows. */
import type { Container } from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { LogFile } from '../../bridge/log-file.ts';
import type { Workload } from '../../workload.ts';
import type { Instance } from '../driver.ts';
import type { Engine } from './engine.ts';
import type { Found } from './inventory.ts';
import type { ContainerRun } from './run.ts';

const DISCONNECTED = 'it was disconnected from its network by hand';

export class Place {
  readonly engine: Engine;
  readonly log: LogFile;
  workload: Workload;
  /** Id of the container; another one after it was removed behind our back. */
  container: string | undefined;
  /** Id of the image that it was made from. */
  image: string | undefined;
  /** In what it is less shut in than it could be. */
  exposed: readonly string[] = [];
  /** What is wrong beside it: that its egress proxy does not run. */
  trouble: string | undefined;
  /** Name of the network that it belongs on; `none` and `host` too. */
  network: string | undefined;
  /** What somebody did to it, where it was not us. */
  readonly byHand = new Set<string>();
  /** How its limits differ from what was asked for. */
  limits: readonly string[] = [];
  /** Aborts when nobody wants it any more. */
  readonly gone = new AbortController();
  /** What a probe runs in the container. */
  exec: string | undefined;
  /** While we stop or remove it, what happens to it is our doing. */
  ours = false;

  constructor(engine: Engine, workload: Workload, log: LogFile) {
    this.engine = engine;
    this.workload = workload;
    this.log = log;
  }

  /** @throws SlipwayError upstream-unavailable where there is none */
  get running(): Container {
    if (this.container === undefined) throw new SlipwayError('upstream-unavailable', 'It has no container.');
    return this.engine.docker.getContainer(this.container);
  }

  /**
   * What somebody did to it is undone by a start.
   * @param found what is found only now, before the engine tells of it
   * @throws SlipwayError start-failed where it is not ours to undo
   */
  afterHands(found?: string): undefined {
    if (found !== undefined) this.byHand.add(found);
    const [done] = this.byHand;
    const { drift } = this.workload;
    if (done !== undefined && drift !== 'enforce')
      throw new SlipwayError('start-failed', `${done}, and drift: ${drift} leaves it so.`);
    this.byHand.clear();
  }

  runs({ info }: ContainerRun): void {
    this.container = info.Id;
    this.image = info.Image;
  }

  /** Notes what a listing shows and no event of a container tells. @returns whether that is news */
  compare(found: Found | undefined): boolean {
    if (!found?.running || found.containerId !== this.container || this.network === undefined) return false;
    const connected = found.networks.includes(this.network);
    if (connected === !this.byHand.has(DISCONNECTED)) return false;
    if (connected) this.byHand.delete(DISCONNECTED);
    else this.byHand.add(DISCONNECTED);
    return true;
  }

  /** What the bridge knows and what we know. @param moved that the tag of its image moved */
  observe(instance: Instance, moved: string | undefined): Instance {
    const drift = [...this.byHand, ...this.limits, ...(moved === undefined ? [] : [moved])];
    return {
      ...instance,
      ...(this.trouble === undefined ? {} : { lastError: this.trouble }),
      ...(drift.length > 0 ? { drift } : {}),
      exposed: this.exposed,
    };
  }
}
