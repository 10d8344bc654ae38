/** Addresses that clients come from. */
import { isIP } from 'node:net';

/** `::ffff:10.0.0.1` is `10.0.0.1`; a zone (`%eth0`) is no part of an address. */
export function bareAddress(address: string): string {
  const [plain = ''] = address.toLowerCase().split('%');
  return plain.startsWith('::ffff:') && isIP(plain.slice(7)) === 4 ? plain.slice(7) : plain;
}

/** Who has one address of IPv6 usually has all of its /64, so that is what is counted. */
export function networkOf(address: string): string {
  const plain = bareAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head.split(':').filter(Boolean);
  const after = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
