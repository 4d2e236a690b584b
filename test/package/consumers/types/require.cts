/** CommonJS as TypeScript has it. */
import core = require('failover-websocket');
import ddp = require('failover-websocket/ddp');

const link: core.FailoverWebSocket = new ddp.DDPClient('wss://example.org/websocket').link;
const status: core.Status = link.status;
// @ts-expect-error Named exports only: there is no default.
core.default;

export = status;
