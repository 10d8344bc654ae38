/** By what commits are judged, as data: it is kept with what was accepted, and needs no config to be read again. */

export interface SignerKey {
  /** `SHA256:…`, as ssh-keygen names a key. */
  readonly ssh?: string;
  /** Armored. */
  readonly gpg?: string;
  /** Milliseconds since 1970, compared with what the commit says of its date. */
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly revoked: boolean;
}

export interface Signer {
  readonly name: string;
  readonly keys: readonly SignerKey[];
}

export interface PathRule {
  readonly files: readonly string[];
  /** Names of signers. */
  readonly signers: readonly string[];
}

/** One Trust, of the config or of the floor. */
export interface TrustRules {
  /** Where it stands: `trust.yaml:1`. */
  readonly where: string;
  readonly mode: 'off' | 'warn' | 'require';
  readonly commits: 'tip' | 'each';
  readonly since?: string;
  readonly signers: readonly Signer[];
  readonly paths: readonly PathRule[];
}

/** True where it makes any difference. */
export const isInForce = ({ mode, paths }: TrustRules): boolean => mode !== 'off' || paths.length > 0;
