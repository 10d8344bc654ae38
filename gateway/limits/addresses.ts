/** Limits before it is known who calls: by the address that a request comes from. */
import { isIP, type Socket } from 'node:net';
import type { HttpRequest } from '../http/message.ts';
import { bareAddress, networkOf } from '../../schemas/address.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { AddressLimits, Rate } from '../../schemas/limits.ts';
import { isLoopback } from '../../schemas/listen.ts';
import type { Exchange } from '../exchange.ts';
import { levelOf, Limiter, type Level } from './limiter.ts';
import { Meters } from './meter.ts';

/** Strangers can come from many addresses: so many are remembered. */
const MAX_ADDRESSES = 10_000;

export class Addresses {
  readonly #limiter = new Limiter(new Meters(MAX_ADDRESSES));
  readonly #connections = new Map<string, number>();
  readonly #limits: () => AddressLimits | undefined;

  /** @param limits those in force now */
  constructor(limits: () => AddressLimits | undefined) {
    this.#limits = limits;
  }

  get refusals(): Limiter['refusals'] {
    return this.#limiter.refusals;
  }

  /** Socket exhaustion: one address cannot take all connections. Behind a proxy all have its address, so none are counted. */
  connected(socket: Socket): void {
    const limits = this.#limits();
    const address = socket.remoteAddress;
    if (!limits || limits.trustedHops > 0 || address === undefined || isLoopback(bareAddress(address))) return;
    const key = networkOf(address);
    const open = this.#connections.get(key) ?? 0;
    if (open >= limits.connections) {
      this.refusals.add('address', 'connections');
      return void socket.destroy();
    }
    this.#connections.set(key, open + 1);
    socket.once('close', () => {
      const left = (this.#connections.get(key) ?? 1) - 1;
      if (left > 0) this.#connections.set(key, left);
      else this.#connections.delete(key);
    });
  }

  /** @throws SlipwayError `rate-limited` for more requests than an address may send, whoever sends them */
  check(exchange: Pick<Exchange, 'source' | 'request'>): void {
    const limits = this.#limits();
    if (limits?.requests) this.#take(exchange, limits, 'requests', limits.requests);
  }

  /**
   * Guessing, and floods of what must be checked before it is refused. Who has a good token is let in all the same, whatever
   * others at its address do: else anybody behind the same proxy could keep it out.
   * @throws SlipwayError `rate-limited` instead of the error, beyond that
   */
  failed(exchange: Pick<Exchange, 'source' | 'request'>, error: unknown): void {
    const limits = this.#limits();
    const isGuess = error instanceof SlipwayError && error.code === 'unauthorized';
    if (limits && isGuess) this.#take(exchange, limits, 'failures', limits.failures);
  }

  /**
   * Before a credential is looked at that costs more than a look-up.
   * @throws SlipwayError `rate-limited` for an address that has nothing left of its failures
   */
  checkGuesses(exchange: Pick<Exchange, 'source' | 'request'>): void {
    const limits = this.#limits();
    if (limits) this.#pass(exchange, limits, 'failures', limits.failures, (level) => this.#limiter.checkRate([level]));
  }

  #take(
    exchange: Pick<Exchange, 'source' | 'request'>,
    limits: AddressLimits,
    what: 'requests' | 'failures',
    rate: Rate,
  ): void {
    this.#pass(exchange, limits, what, rate, (level) => this.#limiter.admit([level], undefined));
  }

  #pass(
    { source, request }: Pick<Exchange, 'source' | 'request'>,
    { trustedHops }: AddressLimits,
    what: 'requests' | 'failures',
    rate: Rate,
    ask: (level: Level) => void,
  ): void {
    if (source.kind === 'unix') return;
    const address = networkOf(addressOf(request, trustedHops));
    const level = { ...levelOf('address', address, { rate }), key: `${what} ${address}` };
    ask(level);
  }
}

/**
 * Spoofing: anybody can send `X-Forwarded-For`. Each trusted proxy adds whom it sees at its end, so what stands before those
 * entries is a claim; without enough of them the request came past the proxies, and counts for where it came from.
 */
export function addressOf({ headers, socket }: Pick<HttpRequest, 'headers' | 'socket'>, trustedHops: number): string {
  const own = socket.remoteAddress ?? '';
  if (trustedHops === 0) return own;
  const said = headers['x-forwarded-for'];
  const claimed = (Array.isArray(said) ? said.join(',') : (said ?? '')).split(',').at(-trustedHops)?.trim() ?? '';
  return isIP(bareAddress(claimed)) === 0 ? own : claimed;
}
