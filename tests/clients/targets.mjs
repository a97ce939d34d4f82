// Independent clients against the targets of a running emulator: each check says "ok NAME" or why
// not. Usage: node targets.mjs SERVER_IP:PORT SERVER_IP:PORT... (one a check is enough)
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(process.env.CLIENTS + '/package.json');
const where = process.argv.slice(2);
const WebSocket = require('ws');
const open = (address, options) => new Promise((done, fail) => {
  const ws = new WebSocket(`ws://${address}/ws`, options);
  ws.once('open', () => done(ws));
  ws.once('error', fail);
});
// Every message, in order, to whoever waits for one that fits.
const hear = (ws, fits) => new Promise((done) => {
  const look = (data) => {
    const message = JSON.parse(data);
    if (fits(message)) { ws.off('message', look); done(message); }
  };
  ws.on('message', look);
});

const checks = {
  async ws_moves_and_is_told() {
    const ws = await open(where[0]);
    const states = [];
    ws.on('message', (data) => { const m = JSON.parse(data); if (m.method === 'target.stateChanged') states.push(m.params.state); });
    const answer = hear(ws, (m) => m.id === 1);
    const standing = hear(ws, (m) => m.params?.state === 'standing');
    ws.send('{"jsonrpc":"2.0","method":"target.standUp","id":1}');
    assert.equal((await answer).result.status, 'command_queued');
    await standing;
    const down = hear(ws, (m) => m.params?.state === 'down');
    ws.send('{"jsonrpc":"2.0","method":"target.layDown"}');
    await down;
    assert.deepEqual(states, ['rising', 'standing', 'falling', 'down']);
    const status = hear(ws, (m) => m.id === 's');
    ws.send('{"jsonrpc":"2.0","method":"target.status","id":"s"}');
    assert.deepEqual([(await status).result.state, (await status).result.up], ['down', false]);
    ws.close();
  },

  async jayson_batch() {
    const jayson = require('jayson/promise');
    const [host, port] = where[1].split(':');
    const client = jayson.Client.http({ host, port, path: '/rpc' });
    const answers = await client.request([client.request('target.ping', [], undefined, false),
      client.request('target.activate', { duration: 0.1 }, undefined, false), client.request('target.activate', { duration: 'long' }, undefined, false)]);
    assert.equal(answers[0].result.status, 'alive');
    assert.deepEqual([answers[1].result.status, answers[1].result.duration], ['activation_queued', 0.1]);
    assert.equal(answers[2].error.code, -32602);
  },

  async rpc_websockets_hits() {
    const { Client } = require('rpc-websockets');
    const client = new Client(`ws://${where[2]}/ws`, { reconnect: false });
    await new Promise((done) => client.on('open', done));
    const hit = new Promise((done) => client.on('target.hit', done));
    assert.equal((await client.call('target.activate', { duration: 5 })).status, 'activation_queued');
    assert.ok((await hit).after_ms >= 0);
    client.close();
  },

  async eventsource_and_msgpack() {
    const { EventSource } = require('eventsource');
    const { encode, decode } = require('@msgpack/msgpack');
    const source = new EventSource(`http://${where[3]}/api/v1/stream/events`);
    await new Promise((done) => { source.onopen = done; });
    const heard = new Promise((done) => source.addEventListener('target.stateChanged', done));
    const ws = await open(where[3]);
    ws.binaryType = 'nodebuffer';
    const answer = new Promise((done) => ws.on('message', (data, binary) => { if (binary) done(decode(data)); }));
    ws.send(encode({ jsonrpc: '2.0', method: 'target.standUp', id: 7 }));
    assert.deepEqual([(await answer).id, (await answer).result.status], [7, 'command_queued']);
    assert.equal(JSON.parse((await heard).data).state, 'rising');
    source.close();
    ws.close();
  },

  async rest() {
    const answer = await fetch(`http://${where[0]}/api/v1/range/dashboard`);
    const { targets } = await answer.json();
    assert.equal(targets[0].target_id, 'target_1');
    const action = await fetch(`http://${where[0]}/api/v1/range/action`, { method: 'POST', body: '{"action":"target.ping"}' });
    assert.equal((await action.json()).status, 'alive');
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  let timer;
  try {
    await Promise.race([check(), new Promise((_, fail) => { timer = setTimeout(() => fail(new Error('no end in 20 s')), 20000); })]);
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok ${name}: ${error.stack}`);
  }
  clearTimeout(timer);
}
process.exit(failed > 0 ? 1 : 0);
