'use client';

import './effects-begin.js';
import { FailoverWebSocket } from 'failover-websocket';
import { DDPClient } from 'failover-websocket/ddp';
import { effects } from './effects-end.js';
import { useEffect, useState } from 'react';

/** A client component. The server renders it as well, but runs no effect of React's. */
export function Live({ url }) {
  const [state, setState] = useState('connecting');
  const [frame, setFrame] = useState('none');
  const [echo, setEcho] = useState('none');

  useEffect(() => {
    const socket = new FailoverWebSocket(url);
    socket.on('status', ({ name }) => setState(name));
    socket.onmessage = ({ data }) => setFrame(data);
    const client = new DDPClient(url);
    client.call('echo', 'hi').then(setEcho, (error) => setEcho(error.message));
    return () => {
      socket.close();
      client.close();
    };
  }, [url]);

  return <pre id="client">{JSON.stringify({ effects, state, frame, echo })}</pre>;
}
