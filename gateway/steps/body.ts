/** Reads a request body, and not a byte more than allowed. */
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { PlainRequest } from '../http/plain-request.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Memory exhaustion: the announced length is checked before a byte is read, the real one while reading.
 * @returns the whole body, at most `maxBytes` long
 * @throws SlipwayError `body-too-large`, `cancelled` when the client goes away
 */
export function readBody(request: HttpRequest, response: HttpResponse, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes)
    return Promise.reject(new SlipwayError('body-too-large'));
  if (request instanceof PlainRequest) return Promise.resolve(request.body);
  if (request.headers.expect !== undefined) response.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.removeAllListeners('data').pause();
        reject(new SlipwayError('body-too-large'));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', () => reject(new SlipwayError('cancelled')));
  });
}

/** Levels of arrays and objects that a message may have. */
const MAX_DEPTH = 256;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** @throws RpcFailure parse error, also for bytes that are not UTF-8: two parsers must not read two things from them */
export function parseJson(bytes: Buffer): unknown {
  if (tooDeep(bytes)) throw new RpcFailure({ code: RPC.parseError, message: 'Parse error: nested too deeply.' });
  try {
    return parseExact(decoder.decode(bytes));
  } catch {
    throw new RpcFailure({ code: RPC.parseError, message: 'Parse error: the body is not JSON in UTF-8.' });
  }
}

/** Deep JSON: parsing it is harmless, but whatever walks or prints it afterwards would run out of stack. */
function tooDeep(bytes: Buffer): boolean {
  if (bytes.length <= MAX_DEPTH) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === ARRAY || byte === OBJECT) {
      if (++depth > MAX_DEPTH) return true;
    } else if (byte === ARRAY_END || byte === OBJECT_END) depth--;
  }
  return false;
}
