import { z } from 'zod';

export const redact = z
  .boolean()
  .default(false)
  .describe(
    'Take secrets of a known shape (cloud and forge tokens, private keys, passwords in URLs …) out of results before clients see them.',
  );
