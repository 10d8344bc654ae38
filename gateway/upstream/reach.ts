/** Which addresses an upstream may have: the guard against SSRF. */
import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { NotDelivered } from './link.ts';

/** Networks that are no part of the public Internet (IANA special-purpose registries, RFC 6890 and its updates). */
const NOT_PUBLIC = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv4');

/** Only global unicast is public, and not what wraps an IPv4 address or is set aside. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv6');

export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !NOT_PUBLIC.check(address, 'ipv4');
  return family === 6 && GLOBAL.check(address, 'ipv6') && !NOT_PUBLIC.check(address, 'ipv6');
}

function refused(host: string): NotDelivered {
  return new NotDelivered(
    `${host} is in a private network. If that is meant, set privateNetwork: true where the config names it.`,
  );
}

/** @throws NotDelivered for a URL that names a private address outright */
export function checkLiteral({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublic(host)) throw refused(host);
}

/** What resolves names, as `node:dns` does. */
export type Resolve = (name: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;
const resolve: Resolve = (name, done) => lookup(name, { all: true }, done);

/**
 * DNS rebinding towards inside: a name that is public when it is looked at and private when it is dialled. Here the
 * addresses that were checked are those that are dialled: there is no second look.
 */
export function publicLookup(ask: Resolve = resolve): LookupFunction {
  return (name, options, done) => {
    ask(name, (error, addresses = []) => {
      if (error) return done(error, []);
      const wanted = addresses.filter(
        ({ address, family }) => isPublic(address) && (!options.family || options.family === family),
      );
      const [first] = wanted;
      if (!first) return done(refused(name), []);
      if (options.all) return done(null, wanted);
      done(null, first.address, first.family);
    });
  };
}
