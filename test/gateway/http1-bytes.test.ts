/** What goes out for a request, and what is gathered of a response's body. */
import { describe, expect, test } from 'vitest';
import { Body } from '../../gateway/upstream/http1/body.ts';
import { RequestWriter } from '../../gateway/upstream/http1/request.ts';
import type { Head } from '../../gateway/upstream/http1/response.ts';

test('a body in one piece, in whatever pieces it comes, and never more than is allowed', () => {
  const head = (length?: number): Head => ({
    status: 200,
    headers: length === undefined ? {} : { 'content-length': String(length) },
  });
  for (const length of [undefined, 10, 3, 1_000_000]) {
    const body = new Body(10);
    body.onHead(head(length));
    for (const byte of Buffer.from('0123456789')) body.onData(Buffer.from([byte]));
    expect(String(body.bytes)).toBe('0123456789');
    expect(() => body.onData(Buffer.from('x'))).toThrow(RangeError);
    // Of a second answer nothing is left of the first.
    body.onHead(head());
    expect(body.bytes).toHaveLength(0);
  }
});

describe('request splitting: a header that would end its line, or say what is not its to say, is refused', () => {
  const bad = {
    'a line end': { A: 'b\r\nContent-Length: 0' },
    'half a line end': { A: 'b\nc' },
    'a character that no header holds': { A: '\u0000' },
    'a character beyond a byte': { A: '🌍' },
    'a name with a line end': { 'A\r\nB': 'c' },
    'no name': { '': 'x' },
    'a length': { 'content-length': '5' },
    'an encoding': { 'Transfer-Encoding': 'chunked' },
    'another host': { Host: 'elsewhere' },
    'what becomes of the connection': { Connection: 'upgrade' },
  };
  for (const [what, headers] of Object.entries(bad))
    test(what, () => {
      const writer = new RequestWriter('there');
      const call = { method: 'POST', headers } as const;
      // Nor is it the second time.
      for (let at = 0; at < 2; at++) expect(() => writer.write('/', call)).toThrow(TypeError);
    });

  test('all others are sent as they are, a character a byte', () => {
    const bytes = new RequestWriter('there').write('/x', { method: 'POST', headers: { 'X-Name': 'Zoë' }, body: 'Zoë' });
    expect(bytes.toString('latin1')).toMatch(
      /^POST \/x HTTP\/1\.1\r\nHost: there\r\nVia: [^\r]+\r\nX-Name: Zoë\r\nContent-Length: 4\r\n\r\nZoÃ«$/,
    );
  });
});
