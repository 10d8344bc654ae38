/** Client sessions as sealed values: whoever holds the key can open them, so a restart or another replica loses none. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

/** What a session id says once it is opened. */
export interface Session {
  /** Random; names the session where it must be remembered (running calls, its stream, its end). */
  readonly id: string;
  /** URL path of the route it was opened on. */
  readonly route: string;
  /** {@link Identity.key} of who opened it. */
  readonly principal: string;
  readonly version: string;
  /** Names of what the client said it can do. */
  readonly capabilities: readonly string[];
  /** Unix time in ms. */
  readonly createdAt: number;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** The longest session id that is looked at (bytes). */
const MAX_SESSION = 2048;
/** Opened ids that are kept at hand, because a client sends its own with every request; twice as many at most. */
const AT_HAND = 1000;
/** Binds a value to its purpose: nothing that is sealed for one opens as another. */
const PURPOSES = {
  session: Buffer.from('slipway session v1'),
  requestState: Buffer.from('slipway request state v1'),
};
export type Purpose = keyof typeof PURPOSES;

export class Seal {
  readonly #key: KeyObject;
  /** For {@link sign}: a key of its own. */
  readonly #signing: KeyObject;
  #recent = new Map<string, Session>();
  #earlier: ReadonlyMap<string, Session> = new Map();

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new RangeError('The session key must be 32 bytes long.');
    // Prepared once: with raw bytes, every use would cost four times as much.
    this.#key = createSecretKey(key);
    this.#signing = createSecretKey(Buffer.from(hkdfSync('sha256', key, '', 'slipway signatures v1', 32)));
  }

  /** A new session's id: visible ASCII. Session fixation: it cannot be chosen or guessed by a client. */
  open(session: Omit<Session, 'id' | 'createdAt'>): string {
    const whole: Session = { ...session, id: randomBytes(12).toString('base64url'), createdAt: Date.now() };
    return this.close('session', whole);
  }

  /** `undefined` for anything that was not sealed with this key as a session. */
  read(id: string): Session | undefined {
    const known = this.#recent.get(id);
    if (known) return known;
    if (id.length > MAX_SESSION) return undefined;
    const session = this.#earlier.get(id) ?? (this.reveal('session', id) as Session | undefined);
    if (session) this.#keep(id, session);
    return session;
  }

  #keep(id: string, session: Session): void {
    this.#recent.set(id, session);
    if (this.#recent.size < AT_HAND) return;
    this.#earlier = this.#recent;
    this.#recent = new Map();
  }

  /** HMAC-SHA256 of what is no secret but must not be made up. @param purpose nothing that is signed for one counts for another */
  sign(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#signing).update(`${purpose}\0${text}`).digest();
  }

  /** Seals a value that JSON can hold. @returns base64url */
  close(purpose: Purpose, value: unknown): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(PURPOSES[purpose]);
    const sealed = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
    return Buffer.concat([iv, sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** `undefined` for anything that was not sealed with this key for this purpose. */
  reveal(purpose: Purpose, text: string): unknown {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
    // Two names for one session: decoding passes over what is no base64url.
    if (bytes.toString('base64url') !== text) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(PURPOSES[purpose]).setAuthTag(bytes.subarray(-TAG_BYTES));
      const plain = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      return JSON.parse(plain) as unknown;
    } catch {
      return undefined;
    }
  }
}
