/**
 * `node:http` without what comes along with it. Imported as an ES module all that it has is read, and some of that is the classes of
 * fetch and WebSocket, which Node loads when somebody looks at them: 13 MB and 30 ms of every program's start (Node 24.21).
 */
export const { Agent, createServer, request, ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http');
