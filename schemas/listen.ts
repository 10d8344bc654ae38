/** Listen addresses: `127.0.0.1:9877`, `[::1]:0`, `localhost:9877`. */
import { isIPv4 } from 'node:net';
import { SlipwayError } from './errors.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`; an IPv6 host stands in brackets. @throws SlipwayError `invalid-value` */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new SlipwayError('invalid-value', `Not an address to listen on: ${text}`, {
      hint: 'Write host:port, such as 127.0.0.1:9877 or [::1]:9877.',
    });
  }
  return { host, port };
}

/** True if only this machine can reach a listener on `host`. A name other than `localhost` could resolve to anything. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
