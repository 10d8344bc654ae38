/**
 * Reaches an engine over SSH as the docker command line does: `ssh host docker system dial-stdio`. The system's ssh checks
 * the host's key and reads the user's settings; a client library that checks no host key would trust whoever answers.
 */
import { spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { Duplex } from 'node:stream';

/** @param host `ssh://user@host:port` */
export function sshAgent(host: string): Agent {
  const { username, hostname, port } = new URL(host);
  const argv = [
    '-o',
    'BatchMode=yes', // There is nobody to ask for a password.
    '-o',
    'ConnectTimeout=10',
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
  const child = spawn('ssh', argv, { stdio: ['pipe', 'pipe', 'pipe'], shell: false });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk}`.slice(-500)));
  child.once('error', (error) => stream.destroy(new Error(`ssh could not be started: ${error.message}`)));
  child.once('close', (code) => {
    if (code === 0) stream.destroy();
    else stream.destroy(new Error(`ssh ended with code ${code}: ${said.trim().split('\n').at(-1) ?? ''}`));
  });
  stream.once('close', () => child.kill());
  // What http.Agent asks of a socket.
  return Object.assign(stream, {
    setKeepAlive: () => stream,
    setNoDelay: () => stream,
    setTimeout: () => stream,
    ref: () => (child.ref(), stream),
    unref: () => (child.unref(), stream),
  });
}
