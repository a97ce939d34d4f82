// Independent clients against tests/bench/rpc_echo: each check says "ok NAME" or why not.
// Usage: node echo.mjs IP:PORT [CHECK...]   (the modules are found through NODE_PATH's package)
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(process.env.CLIENTS + '/package.json');
const [where, ...only] = process.argv.slice(2);
const [host, port] = where.split(':');
const WebSocket = require('ws');

const open = (options, path = '/ws') => new Promise((done, fail) => {
  const ws = new WebSocket(`ws://${where}${path}`, options);
  ws.once('open', () => done(ws));
  ws.once('error', fail);
});
const next = (ws, event = 'message') => new Promise((done) => ws.once(event, (...all) => done(all)));
const ask = async (ws, message) => {
  ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  const [data] = await next(ws);
  return data.toString();
};

const checks = {
  async ws_ids_come_back_as_they_were() {
    const ws = await open();
    for (const id of ['0', '1', '-7', '1.50', '1e3', '"x"', '""', 'null', '"\\u00e4"', '12345678901234567890'])
      assert.equal(await ask(ws, `{"jsonrpc":"2.0","method":"nothing","id":${id}}`),
        `{"jsonrpc":"2.0","result":null,"id":${id}}`);
    ws.close(1000, 'bye');
    assert.deepEqual((await next(ws, 'close'))[0], 1000);
  },

  async ws_errors_to_the_letter() {
    const ws = await open();
    const code = async (text) => JSON.parse(await ask(ws, text)).error;
    assert.deepEqual(await code('{"jsonrpc":"2.0","method":"x","id":1}'), { code: -32601, message: 'Method not found' });
    assert.deepEqual(await code('{'), { code: -32700, message: 'Parse error' });
    assert.deepEqual(await code('[]'), { code: -32600, message: 'Invalid Request' });
    assert.deepEqual(await code('{"jsonrpc":"2.0","method":"sum","params":["a"],"id":1}'), { code: -32602, message: 'Invalid params' });
    ws.close();
  },

  async ws_batches() {
    const ws = await open();
    const answer = JSON.parse(await ask(ws, [
      { jsonrpc: '2.0', method: 'sum', params: [1, 2], id: 'a' }, { jsonrpc: '2.0', method: 'nothing' },
      { jsonrpc: '2.0', method: 'slow', id: 'c' }, 7, { jsonrpc: '2.0', method: 'sum', params: [3, 4], id: 'b' }]));
    assert.deepEqual(answer.map((one) => one.id ?? null).sort(), ['a', 'b', 'c', null].sort());
    assert.equal(answer.find((one) => one.id === 'b').result, 7);
    assert.equal(answer.find((one) => one.id === 'c').result, 'at last');
    const executed = JSON.parse(await ask(ws, { jsonrpc: '2.0', method: 'batch.execute', id: 9,
      params: { operations: [{ method: 'sum', params: [1, 1] }, { method: 'nowhere' }, { method: 'slow' }, {}] } }));
    assert.equal(executed.id, 9);
    const by = Object.fromEntries(executed.result.map((one) => [one.index, one]));
    assert.equal(by[0].result, 2);
    assert.equal(by[1].error.code, -32601);
    assert.equal(by[2].result, 'at last');
    assert.equal(by[3].error.code, -32600);
    ws.close();
  },

  async ws_cancelling() {
    const ws = await open();
    ws.send('{"jsonrpc":"2.0","method":"slow","id":1}');
    ws.send('{"jsonrpc":"2.0","method":"slow","id":2}');
    const first = JSON.parse(await ask(ws, '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}'));
    assert.deepEqual([first.id, first.error.code], [1, -32800]);
    assert.deepEqual(JSON.parse((await next(ws))[0]), { jsonrpc: '2.0', result: 'at last', id: 2 });
    ws.close();
  },

  async ws_fragments_pings_and_long_messages() {
    const ws = await open({ perMessageDeflate: false });
    const long = 'ä'.repeat(200000);
    ws.ping('are you there');
    assert.equal((await next(ws, 'pong'))[0].toString(), 'are you there');
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'echo', params: [long], id: 1 });
    for (let at = 0; at < text.length; at += 1000)
      ws.send(text.slice(at, at + 1000), { fin: at + 1000 >= text.length });
    assert.equal(JSON.parse((await next(ws))[0]).result, long);
    assert.equal(JSON.parse(await ask(ws, text)).result, long);
    ws.close();
    await next(ws, 'close');
  },

  async ws_deflate() {
    const ws = await open({ perMessageDeflate: { threshold: 0 } });
    assert.match(ws.extensions, /permessage-deflate/);
    const long = 'abcdefgh'.repeat(20000);
    for (let i = 0; i < 3; i++)
      assert.equal(JSON.parse(await ask(ws, { jsonrpc: '2.0', method: 'echo', params: [long], id: i })).result, long);
    ws.close();
    const plain = await open({ perMessageDeflate: false });
    assert.equal(plain.extensions, '');
    plain.close();
  },

  async ws_message_too_long() {
    const ws = await open({ perMessageDeflate: false });
    ws.on('error', () => {});
    ws.send(Buffer.alloc((1 << 20) + 1));
    assert.equal((await next(ws, 'close'))[0], 1009);
  },

  async ws_bad_utf8() {
    const ws = await open({ perMessageDeflate: false });
    ws.send(Buffer.from([0xc3, 0x28]), { binary: false });
    assert.equal((await next(ws, 'close'))[0], 1007);
  },

  async ws_another_version() {
    await assert.rejects(open({ protocolVersion: 8 }), /426/);
    await assert.rejects(open({}, '/nowhere'), /404/);
  },

  async msgpack_frames() {
    const { encode, decode } = require('@msgpack/msgpack');
    const ws = await open();
    const exchange = async (message) => {
      ws.send(encode(message));
      const [data, binary] = await next(ws);
      assert.equal(binary, true);
      return decode(data);
    };
    assert.deepEqual(await exchange({ jsonrpc: '2.0', method: 'sum', params: [40, 2], id: 1 }), { jsonrpc: '2.0', result: 42, id: 1 });
    assert.deepEqual(await exchange({ jsonrpc: '2.0', method: 'echo', params: [{ 'ä': [1.5, -7, null, true] }], id: 'x' }),
      { jsonrpc: '2.0', result: { 'ä': [1.5, -7, null, true] }, id: 'x' });
    assert.equal((await exchange([{ jsonrpc: '2.0', method: 'nothing', id: 1 }, { jsonrpc: '2.0', method: 'nothing', id: 2 }])).length, 2);
    ws.send(Buffer.from([0xc1]));
    assert.equal(decode((await next(ws))[0]).error.code, -32700);
    ws.close();
  },

  async msgpack_for_large_answers() {
    const { decode } = require('@msgpack/msgpack');
    const ws = await open();
    const all = [];
    const both = new Promise((done) => ws.on('message', (data, binary) => { all.push([data, binary]); if (all.length === 2) done(); }));
    ws.send('{"jsonrpc":"2.0","method":"list","params":[20000],"format":"msgpack","id":5}');
    await both;
    assert.equal(all[0][1], false);
    assert.deepEqual(JSON.parse(all[0][0]), { jsonrpc: '2.0', result: { totalEntries: 20000, dataType: 'array', compressed: false }, id: 5 });
    assert.equal(all[1][1], true);
    const list = decode(all[1][0]);
    assert.deepEqual([list.length, list[19999].entry], [20000, 19999]);
    ws.close();
  },

  async jayson_websocket() {
    const jayson = require('jayson');
    const client = jayson.Client.websocket({ url: `ws://${where}/ws` });
    await next(client.ws, 'open');
    const request = (...all) => new Promise((done, fail) => client.request(...all, (error, answer) => error ? fail(error) : done(answer)));
    assert.equal((await request('sum', [1, 2])).result, 3);
    assert.equal((await request('nowhere', [])).error.code, -32601);
    client.ws.close();
  },

  async jayson_http() {
    const jayson = require('jayson/promise');
    const client = jayson.Client.http({ host, port, path: '/rpc' });
    assert.equal((await client.request('sum', [1, 2])).result, 3);
    assert.equal((await client.request('nothing', {})).result, null);
    await client.request('nothing', [], null);
    const batch = await client.request([client.request('sum', [1, 2], undefined, false), client.request('slow', [], undefined, false)]);
    assert.deepEqual(batch.map((one) => one.result).sort(), [3, 'at last'].sort());
  },

  async rpc_websockets() {
    const { Client } = require('rpc-websockets');
    const client = new Client(`ws://${where}/ws`, { reconnect: false });
    await new Promise((done) => client.on('open', done));
    assert.equal(await client.call('sum', [20, 22]), 42);
    assert.equal(await client.call('nothing'), null);
    await assert.rejects(client.call('nowhere'), (error) => error.code === -32601);
    const noted = new Promise((done) => client.on('noted', done));
    await client.notify('note', { heard: true });
    assert.equal((await noted).heard ?? (await noted)[0]?.heard, true);
    client.close();
  },

  async vscode_ws_jsonrpc() {
    const { toSocket, WebSocketMessageReader, WebSocketMessageWriter } = require('vscode-ws-jsonrpc');
    const rpc = require('vscode-jsonrpc/node');
    const ws = await open();
    const socket = toSocket(Object.assign(ws, {}));
    const wrapped = {
      send: (content) => ws.send(content), onMessage: (cb) => ws.on('message', (data) => cb(data.toString())),
      onError: (cb) => ws.on('error', cb), onClose: (cb) => ws.on('close', cb), dispose: () => ws.close(),
    };
    assert.ok(socket);
    const connection = rpc.createMessageConnection(new WebSocketMessageReader(wrapped), new WebSocketMessageWriter(wrapped));
    connection.listen();
    assert.equal(await connection.sendRequest('sum', 1, 2), 3);
    const source = new rpc.CancellationTokenSource();
    const slow = connection.sendRequest('slow', source.token);
    source.cancel();
    await assert.rejects(slow, (error) => error.code === -32800);
    const noted = new Promise((done) => connection.onNotification('noted', done));
    connection.sendNotification('note', { heard: 1 });
    assert.deepEqual(await noted, { heard: 1 });
    connection.dispose();
    ws.close();
  },

  async eventsource_resumes() {
    const { EventSource } = require('eventsource');
    const ws = await open();
    await ask(ws, '{"jsonrpc":"2.0","method":"note","params":{"n":1},"id":1}');
    const source = new EventSource(`http://${where}/api/v1/stream/events`);
    await new Promise((done) => { source.onopen = done; });
    const heard = new Promise((done) => source.addEventListener('noted', done));
    ws.send('{"jsonrpc":"2.0","method":"note","params":{"n":2}}');
    const event = await heard;
    assert.equal(JSON.parse(event.data).n, 2);
    source.close();
    ws.send('{"jsonrpc":"2.0","method":"note","params":{"n":3}}');
    await ask(ws, '{"jsonrpc":"2.0","method":"nothing","id":1}');
    const again = new EventSource(`http://${where}/api/v1/stream/events`, {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, 'last-event-id': event.lastEventId } }),
    });
    const missed = await new Promise((done) => again.addEventListener('noted', done));
    assert.deepEqual([JSON.parse(missed.data).n, Number(missed.lastEventId)], [3, Number(event.lastEventId) + 1]);
    again.close();
    ws.close();
  },

  async eventsource_metrics() {
    const { EventSource } = require('eventsource');
    const source = new EventSource(`http://${where}/api/v1/stream/metrics`);
    const heard = await new Promise((done) => source.addEventListener('metrics', done));
    assert.ok(JSON.parse(heard.data).requests >= 0);
    source.close();
  },

  async fetch_rest() {
    const url = `http://${where}/api/v1/echo/dashboard`;
    const first = await fetch(url);
    assert.equal(first.status, 200);
    assert.deepEqual(await first.json(), { services: [{ name: 'echo' }] });
    const again = await fetch(url, { headers: { 'if-none-match': first.headers.get('etag') } });
    assert.equal(again.status, 304);
    assert.equal((await fetch(`http://${where}/api/v1/multi/dashboard`)).status, 200);
    assert.equal((await fetch(`http://${where}/api/v1/nobody/dashboard`)).status, 404);
    const action = await fetch(`http://${where}/api/v1/echo/action`, { method: 'POST', body: '{"method":"sum","params":[2,3]}' });
    assert.deepEqual([action.status, await action.json()], [200, 5]);
    const none = await fetch(`http://${where}/api/v1/echo/action`, { method: 'POST', body: '{"method":"nowhere"}' });
    assert.equal(none.status, 404);
    const big = await fetch(`http://${where}/rpc`, { method: 'POST', body: '{"jsonrpc":"2.0","method":"list","params":[1000],"id":1}' });
    assert.equal(big.headers.get('content-encoding'), 'gzip');
    assert.equal((await big.json()).result.length, 1000);
    const note = await fetch(`http://${where}/rpc`, { method: 'POST', body: '{"jsonrpc":"2.0","method":"nothing"}' });
    assert.equal(note.status, 204);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  if (only.length > 0 && !only.includes(name)) continue;
  let timer;
  try {
    await Promise.race([check(), new Promise((_, fail) => { timer = setTimeout(() => fail(new Error('no end in 10 s')), 10000); })]);
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok ${name}: ${error.code === 'MODULE_NOT_FOUND' ? 'no such module' : error.stack}`);
  }
  clearTimeout(timer);
}
process.exit(failed > 0 ? 1 : 0);
