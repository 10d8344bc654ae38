/**
 * Reaches an engine over SSH as the docker command line does: `ssh host docker system dial-stdio`. The system's ssh checks
 * the host's key and reads the user's settings; a client library that checks no host key would trust whoever answers.
 */
import { spawn } from 'node:child_process';
import type { Agent as HttpAgent } from 'node:http';
import { Duplex } from 'node:stream';
import { Agent } from '../../../schemas/node-http.ts';

/** @param host `ssh://user@host:port` */
export function sshAgent(host: string): HttpAgent {
  const { username, hostname, port } = new URL(host);
  const argv = [
    '-o',
    'BatchMode=yes', // There is nobody to ask for a password.
    '-o',
    'ConnectTimeout=10',
    '-o',
    'ServerAliveInterval=15', // A dead link would look like an idle one.
    '-o',
    'ServerAliveCountMax=3',
    ...(port ? ['-p', port] : []),
    ...(username ? ['-l', username] : []),
    '--',
    hostname,
    'docker',
    'system',
    'dial-stdio',
  ];
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = () => dial(argv);
  return agent;
}

function dial(argv: readonly string[]): Duplex {
  const child = spawn('ssh', argv, { stdio: 'pipe', shell: false });
  const { stdin, stdout, stderr } = child;
  const stream = new Duplex({
    read: () => void stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void stdin.write(chunk, () => done()),
    final: (done) => void stdin.end(done),
    destroy(error, done) {
      child.kill();
      done(error);
    },
  });
  stdout.on('data', (chunk: Buffer) => void (stream.push(chunk) || stdout.pause()));
  stdin.on('error', () => {}); // It ended; how, is told below.
  let said = '';
  stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk}`.slice(-500)));
  child.once('error', (error) => stream.destroy(new Error(`ssh could not be started: ${error.message}`)));
  // The end of its output alone would say nothing about why.
  child.once('close', (code) => {
    if (code === 0) stream.push(null);
    else stream.destroy(new Error(`ssh ended with code ${code}: ${said.trim().split('\n').at(-1)?.trim() ?? ''}`));
  });
  // What http.Agent asks of a socket.
  return Object.assign(stream, {
    setKeepAlive: () => stream,
    setNoDelay: () => stream,
    setTimeout: () => stream,
    ref: () => (child.ref(), stream),
    unref: () => (child.unref(), stream),
  });
}
