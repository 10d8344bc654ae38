/**
 * One spelling of an e-mail address: `Ada@Example.com` → `ada@example.com`.
 *
 * Impersonation: Unicode has letters whose lower case is an ASCII letter (the sign for Kelvin becomes `k`). An address with
 * one of those is somebody else’s, so only A to Z are changed.
 */
export const canonicalEmail = (email: string): string => email.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
