import './effects-begin.js';
import { FailoverWebSocket, POLICIES } from 'failover-websocket';
import { DDPClient } from 'failover-websocket/ddp';
import { effects } from './effects-end.js';
import { Live } from './live.jsx';

/** A server component. It imports both entries and makes no link: that is for the browser. */
export default async function Page({ searchParams }) {
  const { url } = await searchParams;
  const made = {
    classes: [typeof FailoverWebSocket, typeof DDPClient],
    policies: Object.keys(POLICIES),
    effects,
  };
  return (
    <main>
      <pre id="server">{JSON.stringify(made)}</pre>
      <Live url={url} />
    </main>
  );
}
