// The least that can stand between: bytes go through, nothing is looked at. What a gateway costs beyond this is what it does.
// forwarder.mjs <port> <url> | forwarder.mjs <port> -- <program> [argument…]
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Agent, request as send } from 'undici';

const [port, url, ...argv] = process.argv.slice(2);
const forward = url === '--' ? toProgram() : toServer();

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const { status, body } = await forward(Buffer.concat(chunks));
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));

function toServer() {
  const dispatcher = new Agent({ connections: 64 });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return async (body) => {
    const answer = await send(url, { method: 'POST', headers, body, dispatcher });
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
  };
}

/** Ids of different clients may be the same: to the program each is a number of ours. */
function toProgram() {
  const child = spawn(argv[0], argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line);
    const asked = waiting.get(message.id);
    if (!waiting.delete(message.id)) return;
    asked.resolve({ status: 200, body: JSON.stringify({ ...message, id: asked.id }) });
  });
  let last = 0;
  return (body) => {
    const message = JSON.parse(body);
    const { id } = message;
    if (id !== undefined) message.id = ++last;
    child.stdin.write(`${JSON.stringify(message)}\n`);
    if (id === undefined) return { status: 202, body: '' };
    return new Promise((resolve) => waiting.set(message.id, { id, resolve }));
  };
}
