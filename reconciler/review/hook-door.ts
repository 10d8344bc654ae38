/** The door that forges knock at. Each guard names what it protects from; they come in the order of what they cost. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { HookAnswer, HookRequest, Hooks } from '../../schemas/hooks.ts';
import { parseHookJson } from './payload.ts';
import type { OpenSecret, SecretUse } from '../../schemas/upstream-auth.ts';
import { Deliveries } from './deliveries.ts';
import type { HookEvent } from './forges/forge.ts';
import { FORGES } from './forges/index.ts';
import type { ReviewSettings } from './settings.ts';
import { fingerprintOf, sameText, ungenuine } from './verify.ts';

export interface HookDoorOptions {
  /** Those in force now; undefined where none are. */
  readonly settings: () => ReviewSettings | undefined;
  readonly secrets: OpenSecret;
  /** @returns what becomes of it, in words @throws SlipwayError to have it delivered again */
  readonly onEvent: (event: HookEvent) => string;
  /** Hears of each delivery, genuine or not: what became of it, and whether it was let in. */
  readonly onKnock: (outcome: string, isGenuine: boolean) => void;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** Memory: strangers can send bodies, too, before it is known that they are strangers. So many at a time. */
const MAX_BODIES = 16;
/** How long a secret counts as it was, and of how many that is remembered. */
const OPENED_MS = 5000;
const MAX_OPENED = 8;

const UNSET = 'Deliveries cannot be checked now.';
const SEE_STATUS = '`slipway status` says why.';

export class HookDoor {
  readonly #options: HookDoorOptions;
  readonly #deliveries = new Deliveries();
  readonly #opened = new Map<string, { readonly until: number; readonly value: Promise<string> }>();
  #bodies = 0;

  constructor(options: HookDoorOptions) {
    this.#options = options;
  }

  readonly answer: Hooks = async (request) => {
    let isGenuine = false;
    try {
      const answer = await this.#answer(request, () => (isGenuine = true));
      this.#options.onKnock(String(answer.body['accepted'] ?? answer.body['ignored']), true);
      return answer;
    } catch (error) {
      const known = toSlipwayError(error);
      // What finds nothing here has not knocked.
      if (known.code !== 'not-found') this.#options.onKnock(known.message, isGenuine);
      // What secrets are called, and why there are none, is for operators.
      throw known.code === 'secret-unavailable' ? new SlipwayError(known.code, UNSET, { hint: SEE_STATUS }) : error;
    }
  };

  async #answer(request: HookRequest, genuine: () => void): Promise<HookAnswer> {
    const { settings, now = Date.now } = this.#options;
    const { forge: name, webhook } = settings() ?? {};
    if (name === undefined || !webhook) throw new SlipwayError('not-found');
    const forge = FORGES[name];
    // Scans: who does not know the path is told nothing, not even that there is one.
    const path = webhook.path ? await this.#secret(webhook.path) : '';
    if (!sameText(request.path, path)) throw new SlipwayError('not-found');
    // Floods: what cannot be genuine is not even read.
    if (!forge.signedBy.some((header) => request.headers[header] !== undefined)) throw ungenuine();
    const secret = await this.#secret(webhook.secret);
    const body = await this.#body(request, webhook.maxBodyBytes);
    const { headers } = request;
    // Forgery, and replay of what says when it was made.
    const id = forge.verify({ headers, body, secret, now: now(), windowMs: webhook.windowMs });
    genuine();
    // Replay of what does not.
    const ids = [fingerprintOf(body), ...(id === undefined ? [] : [`id ${id}`])];
    if (this.#deliveries.has(ids)) return ignored('this delivery came before');
    const event = parseHookJson(body, (payload) => forge.read(headers, payload));
    const outcome = event
      ? { accepted: this.#options.onEvent(event) }
      : { ignored: 'nothing here follows such events' };
    this.#deliveries.add(ids);
    return { status: event ? 202 : 200, body: outcome };
  }

  async #body(request: HookRequest, maxBytes: number): Promise<Buffer> {
    if (this.#bodies >= MAX_BODIES) throw new SlipwayError('concurrency-limited');
    this.#bodies++;
    try {
      return await request.body(maxBytes);
    } finally {
      this.#bodies--;
    }
  }

  /** Floods: whoever knocks has it opened, which may take decrypting; so not each time. */
  #secret(use: SecretUse): Promise<string> {
    const key = JSON.stringify(use);
    const known = this.#opened.get(key);
    const now = performance.now();
    if (known && known.until > now) return known.value;
    const value = this.#open(use);
    value.catch(() => {}); // Whoever asks hears of it.
    if (this.#opened.size >= MAX_OPENED) this.#opened.clear();
    this.#opened.set(key, { until: now + OPENED_MS, value });
    return value;
  }

  /** An empty secret is none: everybody can sign with it. */
  async #open(use: SecretUse): Promise<string> {
    const value = await this.#options.secrets(use);
    if (value !== '') return value;
    throw new SlipwayError('secret-unavailable', `Secret ${use.secret}, key ${use.key}: it is empty.`);
  }
}

const ignored = (why: string): HookAnswer => ({ status: 200, body: { ignored: why } });
