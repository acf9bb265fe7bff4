#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rvosseg in a browser: the visitor's camera, and back with its objects drawn.

    server.py [--host 127.0.0.1] [--port 8090] [--visitors 4] [--token WORD]
              [--tls-cert FILE --tls-key FILE] [--stun URI] [--set PROPERTY=VALUE ...]

By default it serves this machine only. For others give --host 0.0.0.0: then a token is part of the
address, and TLS is needed, as browsers give their camera to https and to this machine only. All
visitors share one copy of the model; each has a pipeline of its own.

Needs python3-aiohttp, python3-gi, python3-gst-1.0, gir1.2-gst-plugins-bad-1.0,
gir1.2-gst-plugins-base-1.0, gstreamer1.0-nice and GStreamer's plugins good and bad.
"""
import argparse
import asyncio
import hmac
import ipaddress
import json
import pathlib
import secrets
import ssl
import sys

from aiohttp import WSMsgType, web

from visitor import GLib, Gst, Visitor

FOLDER = pathlib.Path(__file__).resolve().parent
FIGURES = 0.5  # seconds between two lines of figures


class Server:
    def __init__(self, options):
        self.options = options
        self.visitors = set()

    def allowed(self, request):
        token = self.options.token
        given = request.query.get("token", "")
        # compare_digest takes ASCII only, or bytes.
        return not token or hmac.compare_digest(given.encode("utf-8", "surrogatepass"),
                                                token.encode("utf-8", "surrogatepass"))

    async def page(self, request):
        if not self.allowed(request):
            return web.Response(status=403, text="The address needs its token.\n")
        return web.FileResponse(FOLDER / "page.html")

    async def script(self, _request):
        return web.FileResponse(FOLDER / "page.js")

    async def status(self, request):
        if not self.allowed(request):
            return web.Response(status=403, text="The address needs its token.\n")
        return web.json_response({"visitors": len(self.visitors)})

    async def socket(self, request):
        # A page of another site in the visitor's browser could connect to this machine, too.
        origin = request.headers.get("Origin", "")
        if not self.allowed(request) or origin.partition("://")[2] != request.host:
            return web.Response(status=403, text="The address needs its token.\n")
        socket = web.WebSocketResponse(heartbeat=10, max_msg_size=1 << 16)
        await socket.prepare(request)
        if len(self.visitors) >= self.options.visitors:
            await socket.send_json({"type": "busy", "visitors": self.options.visitors})
            await socket.close()
            return socket
        loop, outgoing = asyncio.get_running_loop(), asyncio.Queue()
        one = Visitor(lambda message: loop.call_soon_threadsafe(outgoing.put_nowait, message),
                      self.options.set, self.options.stun)
        self.visitors.add(one)
        sender = asyncio.create_task(self.send(socket, outgoing, one))
        try:
            await loop.run_in_executor(None, one.start)
            await self.receive(socket, outgoing, one, loop)
        finally:
            sender.cancel()
            await loop.run_in_executor(None, one.close)
            self.visitors.discard(one)
        return socket

    async def send(self, socket, outgoing, one):
        """Sends the pipeline's messages and, regularly, the figures, until the visitor has gone."""
        while not socket.closed:
            try:
                message = await asyncio.wait_for(outgoing.get(), FIGURES)
            except asyncio.TimeoutError:
                message = one.figures()
            try:
                await socket.send_json(message)
            except ConnectionError:
                return

    async def receive(self, socket, outgoing, one, loop):
        def handle(message):
            kind = message["type"]
            if kind == "answer":
                one.answer(message["sdp"])
            elif kind == "ice":
                one.candidate(int(message["sdpMLineIndex"]), message["candidate"])
            elif kind == "click":
                one.click(float(message["x"]), float(message["y"]))
            elif kind == "mode":
                one.set_mode(message["mode"])
            elif kind == "blur":
                one.set_blur(bool(message["on"]))
            elif kind == "reset":
                one.reset()
            else:
                raise ValueError("no such message")
        async for frame in socket:
            if frame.type != WSMsgType.TEXT:
                break
            try:
                await loop.run_in_executor(None, handle, json.loads(frame.data))
            # RecursionError: JSON that is too deep.
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as e:
                outgoing.put_nowait({"type": "error", "words": str(e)})

    def application(self):
        app = web.Application()
        app.add_routes([web.get("/", self.page), web.get("/page.js", self.script),
                        web.get("/status", self.status), web.get("/socket", self.socket)])
        return app


def port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=port, default=8090)
    p.add_argument("--visitors", type=int, default=4, help="most at a time (4)")
    p.add_argument("--token", help="part of the address; made up if --host is not this machine")
    p.add_argument("--tls-cert", metavar="FILE")
    p.add_argument("--tls-key", metavar="FILE")
    p.add_argument("--stun", metavar="URI", help="such as stun://stun.example.org:3478")
    p.add_argument("--set", action="append", default=[], metavar="PROPERTY=VALUE",
                   help="a property of rvosseg; many times")
    options = p.parse_args()
    if bool(options.tls_cert) != bool(options.tls_key):
        p.error("--tls-cert and --tls-key come together")
    try:
        local = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        local = options.host == "localhost"
    if not local:
        options.token = options.token or secrets.token_urlsafe(16)
        if not options.tls_cert:
            print("server: without TLS browsers on other machines give no camera "
                  "(--tls-cert, --tls-key)", file=sys.stderr)
    return options


def missing():
    """The elements that are not installed."""
    names = ("rvosseg", "webrtcbin", "nicesrc", "dtlsdec", "srtpdec", "vp8enc", "vp8dec",
             "rtpvp8pay", "compositor", "gaussianblur")
    return [name for name in names if not Gst.ElementFactory.find(name)]


async def serve(options, tls):
    runner = web.AppRunner(Server(options).application())
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, ssl_context=tls)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        query = f"/?token={options.token}" if options.token else "/"
        print(f"{'https' if tls else 'http'}://{options.host}:{port}{query}", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main():
    options = arguments()
    Gst.init(None)
    if missing():
        sys.exit(f"server: GStreamer has no {', '.join(missing())} here; "
                 "--help says what to install")
    try:
        Gst.parse_launch("rvosseg " + " ".join(options.set))  # shows a wrong --set at once
    except GLib.Error as e:
        sys.exit(f"server: {e.message}")
    tls = None
    if options.tls_cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            tls.load_cert_chain(options.tls_cert, options.tls_key)
        except (OSError, ssl.SSLError) as e:
            sys.exit(f"server: {options.tls_cert}, {options.tls_key}: {e}")
    try:
        asyncio.run(serve(options, tls))
    except OSError as e:
        sys.exit(f"server: {options.host}:{options.port}: {e.strerror}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
