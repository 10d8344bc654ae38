// The least that can stand between a client and an MCP server: it puts an id and a name in place of others, and checks nothing.
// `forwarder.mjs <url>` to a server over HTTP, `forwarder.mjs <program>` to one over stdio.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Pool from 'undici/lib/dispatcher/pool.js';

const [to] = process.argv.slice(2);
const post = to.startsWith('http') ? overHttp(new URL(to)) : overStdio(to);

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const message = JSON.parse(Buffer.concat(chunks).toString());
    const { id, params } = message;
    if (id === undefined) return response.writeHead(202).end();
    if (params?.name) params.name = params.name.replace(/^.*__/, '');
    post(message, (answer) => {
      const text = JSON.stringify({ ...answer, id });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    });
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));

function overHttp({ origin, pathname: path }) {
  const pool = new Pool(origin, { connections: 256 });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return (message, answered) => {
    const chunks = [];
    const fail = (error) => {
      throw error;
    };
    pool.dispatch(
      { origin, path, method: 'POST', headers, body: JSON.stringify(message) },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_, chunk) => chunks.push(chunk),
        onResponseEnd: () => answered(JSON.parse(Buffer.concat(chunks).toString())),
        onResponseError: (_, error) => fail(error),
      },
    );
  };
}

function overStdio(program) {
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map();
  let last = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line);
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  child.once('exit', () => process.exit());
  return (message, answered) => {
    waiting.set(++last, answered);
    child.stdin.write(`${JSON.stringify({ ...message, id: last })}\n`);
  };
}
