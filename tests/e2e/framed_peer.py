#!/usr/bin/env python3
"""The other side of the wire `framed`, written from proto/PROTOCOL.md alone, for tests.

    framed_peer.py clients IP PORT COUNT [TOKEN [zlib]]   COUNT clients at once; says what they saw
    framed_peer.py server IP PORT COUNT [TOKEN [zlib]]    a server for COUNT targets and who else comes

Exit code 0 when all was as the protocol says, 1 with a traceback otherwise.
"""
import asyncio
import collections
import datetime
import json
import struct
import sys
import zlib

PACKED = 0x80000000
PACK_FROM = 512
PATIENCE_S = 60


def now():
    return datetime.datetime.now().isoformat()


class Peer:
    """One connection: texts in, texts out."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.packs = False
        self.packed_in = 0

    def send_text(self, text):
        data = text.encode()
        head = len(data)
        if self.packs and len(data) >= PACK_FROM:
            data = zlib.compress(data)
            head = len(data) | PACKED
        self.writer.write(struct.pack(">I", head) + data)

    def send(self, **message):
        self.send_text(json.dumps(message))

    async def hear(self):
        (head,) = struct.unpack(">I", await self.reader.readexactly(4))
        data = await self.reader.readexactly(head & ~PACKED if self.packs else head)
        if self.packs and head & PACKED:
            self.packed_in += 1
            data = zlib.decompress(data)
        try:
            return json.loads(data)
        except ValueError:
            return data.decode()

    async def expect(self, kind, passed_over=("broadcast",)):
        while True:
            message = await self.hear()
            if message["type"] not in passed_over:
                assert message["type"] == kind, f"{kind}, but got {message}"
                return message


# ---- clients ----


class Barrier:
    def __init__(self, count):
        self.left, self.event = count, asyncio.Event()

    async def wait(self):
        self.left -= 1
        if self.left == 0:
            self.event.set()
        await self.event.wait()


async def client(number, count, where, token, packing, barriers, seen):
    peer = Peer(*await asyncio.open_connection(*where))
    welcome = await peer.expect("welcome")
    assert list(welcome) == ["type", "client_id", "message", "timestamp"], welcome
    if token:
        peer.send(type="authenticate", timestamp=now(), token=token)
        assert (await peer.expect("auth_response"))["success"] is True
    if packing:
        peer.send(type="negotiate", timestamp=now(), compression=["zlib"])
        assert (await peer.expect("negotiated"))["compression"] == "zlib"
        peer.packs = True
    await barriers[0].wait()
    # All that follow in one write, answered in order.
    content = {"number": number, "text": "h\u00f6her \U0001f3af " + "x" * 1000, "f": 1.0, "n": None}
    peer.send(type="ping", timestamp="T", client_info=f"TCP Client {number}")
    peer.send(type="echo", content=content, timestamp=now())
    peer.send(type="mine", data=[number, {"deep": []}])
    peer.send_text(f"plain {number} \u00e4")
    peer.send(type="get_stats", timestamp=now())
    pong = await peer.expect("pong")
    assert pong["ping_timestamp"] == "T" and pong["client_id"] == welcome["client_id"], pong
    assert (await peer.expect("echo_response"))["content"] == content
    answer = await peer.expect("response")
    assert answer["original_message"] == {"type": "mine", "data": [number, {"deep": []}]}, answer
    assert answer["from_server"] is True
    assert (await peer.expect("echo"))["original_text"] == f"plain {number} \u00e4"
    stats = await peer.expect("server_stats")
    assert stats["connected_clients"] >= count, stats
    seen["answers"] += 5
    await barriers[1].wait()
    if number == 0:
        peer.send(type="broadcast", content="to all", timestamp=now())
        assert (await peer.expect("broadcast_sent"))["recipients"] >= count - 1
    else:
        message = await peer.expect("broadcast", passed_over=())
        assert message["content"] == "to all", message
        seen["broadcasts"] += 1
    seen["packed"] += peer.packed_in
    await barriers[2].wait()
    peer.writer.close()
    seen["clients"] += 1


async def clients(where, count, token, packing):
    seen = collections.Counter()
    barriers = [Barrier(count) for _ in range(3)]
    await asyncio.gather(
        *(client(n, count, where, token, packing, barriers, seen) for n in range(count))
    )
    print(json.dumps(seen, sort_keys=True), flush=True)


# ---- a server ----


class Server:
    def __init__(self, count, token, packing):
        self.count, self.token, self.packing = count, token, packing
        self.clients, self.targets = {}, {}
        self.seen = collections.Counter()
        self.done = asyncio.Event()
        self.started = datetime.datetime.now()

    def offer(self, peer, message, let_in):
        """What may be asked for first; True: it was that."""
        kind = message.get("type") if isinstance(message, dict) else None
        if self.token and not let_in:
            good = kind == "authenticate" and message.get("token") == self.token
            peer.send(type="auth_response", timestamp=now(), success=good)
            self.seen["let in" if good else "refused"] += 1
            return good
        if self.packing and kind == "negotiate":
            assert message["compression"] == ["zlib"], message
            peer.send(type="negotiated", timestamp=now(), compression="zlib")
            peer.packs = True
            return True
        return None

    def answer(self, peer, me, message):
        if not isinstance(message, dict):
            peer.send(type="echo", original_text=message, timestamp=now(), from_server=True)
            return
        kind = message.get("type")
        self.seen[kind] += 1
        if kind == "ping":
            peer.send(type="pong", ping_timestamp=message.get("timestamp"), pong_timestamp=now(),
                      client_id=me)
        elif kind == "echo":
            peer.send(type="echo_response", content=message.get("content", ""), timestamp=now(),
                      echoed_by="TCP Server")
        elif kind == "broadcast":
            for other in self.clients.values():
                if other is not peer:
                    other.send(type="broadcast", from_client=me, content=message["content"],
                               timestamp=now())
            peer.send(type="broadcast_sent", recipients=len(self.clients) - 1, timestamp=now())
        elif kind == "get_stats":
            peer.send(type="server_stats", connected_clients=len(self.clients), uptime_seconds=0,
                      total_messages=0, server_start_time=self.started.isoformat(),
                      current_time=now())
        else:
            peer.send(type="response", original_message=message, timestamp=now(), from_server=True)
            self.of_target(peer, message)

    def of_target(self, peer, message):
        if message["type"] == "target_register":
            self.targets[message["target"]] = peer
            if len(self.targets) == self.count:
                for target in self.targets.values():
                    target.send(type="broadcast", from_client="1.2.3.4:5", timestamp=now(),
                                content={"command": "stand_up", "target": "all"})
        if message["type"] == "target_report":
            assert message["command"] == "stand_up", message
            assert message["data"]["status"] == "command_queued", message
            if self.seen["target_report"] == self.count:
                self.done.set()

    async def serve(self, reader, writer):
        peer, let_in = Peer(reader, writer), not self.token
        me = "%s:%d" % writer.get_extra_info("peername")[:2]
        self.clients[me] = peer
        peer.send(type="welcome", client_id=me, message="Welcome to TCP Server!", timestamp=now())
        try:
            while True:
                message = await peer.hear()
                done = self.offer(peer, message, let_in)
                if done is None:
                    self.answer(peer, me, message)
                elif done:
                    let_in = True
                else:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.seen["packed"] += peer.packed_in
        del self.clients[me]
        writer.close()


async def server(where, count, token, packing):
    side = Server(count, token, packing)
    listening = await asyncio.start_server(side.serve, *where)
    await side.done.wait()
    # What talks beside them goes on for a while.
    while side.seen["echo"] % 50 or (side.seen["echo"] and side.seen["echo"] < 500):
        await asyncio.sleep(0.001)
    print(json.dumps(side.seen, sort_keys=True), flush=True)
    listening.close()


def main():
    side, ip, port, count = sys.argv[1:5]
    token = sys.argv[5] if len(sys.argv) > 5 else ""
    packing = "zlib" in sys.argv[6:]
    job = {"clients": clients, "server": server}[side]
    asyncio.run(asyncio.wait_for(job((ip, int(port)), int(count), token, packing), PATIENCE_S))


main()
