# SPDX-License-Identifier: LGPL-2.1-or-later
"""One visitor's pipeline: a browser's camera in by WebRTC, segmented, and back again.

The callbacks of GStreamer come from threads of its own; `tell` is called from these.
"""
import ctypes
import socket
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstVideo, GstWebRTC  # noqa: E402

WIDTH, HEIGHT = 640, 480
# The background is blurred at an eighth of the size, which is quicker and goes further. While
# output=overlay the frame in front of it is opaque, so it is not seen. I420 drops the alpha channel.
PIPELINE = f"""
    webrtcbin name=w bundle-policy=max-bundle latency=50
    appsrc name=entry is-live=true format=time max-buffers=1 leaky-type=downstream !
        videoconvert ! videoscale !
        video/x-raw,format=RGBA,width={WIDTH},height={HEIGHT},pixel-aspect-ratio=1/1 !
        identity name=gate !
        rvosseg name=seg post-messages=none max-gap=5000000000 {{properties}} ! tee name=t
    compositor name=c start-time-selection=first background=black
        sink_0::width={WIDTH} sink_0::height={HEIGHT} ! videoconvert !
        video/x-raw,format=I420 ! queue max-size-buffers=2 leaky=downstream !
        vp8enc deadline=1 cpu-used=8 target-bitrate=1500000 keyframe-max-dist=60 error-resilient=1 !
        rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96 ! w.
    t. ! queue max-size-buffers=2 ! videoconvert ! video/x-raw,format=I420 ! videoscale !
        video/x-raw,width={WIDTH // 8},height={HEIGHT // 8} ! videoconvert !
        gaussianblur sigma=3 ! videoconvert ! c.sink_0
    t. ! queue max-size-buffers=2 ! c.sink_1
"""
DISC = 40  # pixels: radius of the mask for a click where no object is


def offline():
    """Whether this machine has only its loopback address. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return True
    return False


def offer_loopback(webrtc):
    """libnice uses the loopback address only if it is told to."""
    agent = webrtc.get_property("ice-agent")
    if agent.__grefcount__ == 1:
        # The agent was still floating, so Python took the reference that is webrtcbin's. This
        # gives it another.
        gobject = ctypes.CDLL("libgobject-2.0.so.0")
        gobject.g_object_ref.argtypes, gobject.g_object_ref.restype = [ctypes.c_void_p], ctypes.c_void_p
        gobject.g_object_ref(hash(agent))
    agent.emit("add-local-ip-address", "127.0.0.1")


class Visitor:
    def __init__(self, tell, properties=(), stun=None):
        """`tell(message)` sends a dictionary to the browser; called in any thread."""
        self.tell = tell
        self.frames, self.since = 0, time.monotonic()
        self.labels = None  # of the newest frame: buffer of GRAY8
        self.ids = {}       # slot: tracking id
        self.mode = "auto"  # in which objects are found; a click turns to one-shot
        self.changing = threading.Lock()  # one change of the mode at a time
        self.pipeline = Gst.parse_launch(PIPELINE.format(properties=" ".join(properties)))
        self.webrtc = self.pipeline.get_by_name("w")
        self.segmenter = self.pipeline.get_by_name("seg")
        if stun:
            self.webrtc.set_property("stun-server", stun)
        if offline():
            offer_loopback(self.webrtc)
        self.webrtc.connect("on-ice-candidate", self._on_candidate)
        self.webrtc.connect("pad-added", self._on_pad)
        self.segmenter.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._on_frame)

    def start(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        promise = Gst.Promise.new_with_change_func(self._on_offer)
        self.webrtc.emit("create-offer", None, promise)

    def close(self):
        """Blocks until all threads have ended."""
        self.pipeline.set_state(Gst.State.NULL)
        self.labels = self.webrtc = self.segmenter = self.pipeline = None

    # ---- the connection -------------------------------------------------------------------

    def _on_offer(self, promise):
        promise.wait()
        reply = promise.get_reply()  # owns the offer
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())
        self.tell({"type": "offer", "sdp": offer.sdp.as_text()})

    def _on_candidate(self, _webrtc, line, candidate):
        self.tell({"type": "ice", "sdpMLineIndex": line, "candidate": candidate})

    def answer(self, sdp):
        status, message = GstSdp.SDPMessage.new_from_text(sdp)
        if status != GstSdp.SDPResult.OK:
            raise ValueError("the answer is no SDP")
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())

    def candidate(self, line, candidate):
        self.webrtc.emit("add-ice-candidate", line, candidate)

    def _on_pad(self, _webrtc, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.parse_bin_from_description(
            "rtpvp8depay ! vp8dec ! appsink name=exit sync=false emit-signals=true", True)
        decoder.get_by_name("exit").connect("new-sample", self._on_decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def _on_decoded(self, sink):
        """By hand, as a link from webrtcbin to itself would be a loop in the graph."""
        entry = self.pipeline and self.pipeline.get_by_name("entry")
        sample = sink.emit("pull-sample")
        if not entry or not sample:
            return Gst.FlowReturn.FLUSHING
        return entry.emit("push-sample", sample)

    # ---- what is seen ---------------------------------------------------------------------

    def _on_frame(self, _pad, info):
        self.frames += 1
        meta = info.get_buffer().get_custom_meta("GstRvosSegMeta")
        if meta:
            s = meta.get_structure()
            self.labels = s.get_value("mask")
            self.ids = dict(zip(s.get_value("slots") or [], s.get_value("tracking-ids") or []))
        return Gst.PadProbeReturn.OK

    def figures(self):
        """Figures since the last call. Call it regularly, because it also empties the bus."""
        bus = self.pipeline.get_bus()
        while (message := bus.pop()) is not None:
            if message.type == Gst.MessageType.ERROR:
                self.tell({"type": "error", "words": message.parse_error()[0].message})
        now = time.monotonic()
        rate, self.frames = self.frames / max(now - self.since, 1e-3), 0
        self.since = now
        stats = self.segmenter.get_property("stats")
        return {"type": "figures", "rate": round(rate, 1), "objects": sorted(self.ids.values()),
                "network": round(stats.get_value("inference-ns-avg") / 1e6, 1)}

    # ---- what the visitor wants -----------------------------------------------------------

    def click(self, x, y):
        """Follows what is at x, y (0 to 1), and nothing else: the object there, or a disc."""
        x, y = int(x * WIDTH), int(y * HEIGHT)
        if not (0 <= x < WIDTH and 0 <= y < HEIGHT):
            raise ValueError("the click is outside of the picture")
        labels = self._copy_labels()
        slot = labels[y * WIDTH + x] if labels else 0
        if slot:
            mask = bytes(255 if value == slot else 0 for value in labels)
        else:
            mask = bytearray(WIDTH * HEIGHT)
            for row in range(max(y - DISC, 0), min(y + DISC + 1, HEIGHT)):
                half = int((DISC ** 2 - (row - y) ** 2) ** 0.5)
                left, right = max(x - half, 0), min(x + half + 1, WIDTH)
                mask[row * WIDTH + left:row * WIDTH + right] = b"\xff" * (right - left)
            mask = bytes(mask)
        info = Gst.Structure.new_empty("seed")
        info.set_value("replace", True)
        caps = Gst.Caps.from_string(
            f"video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=0/1")
        sample = Gst.Sample.new(Gst.Buffer.new_wrapped(mask), caps, None, info)
        if self.segmenter.get_property("mode").value_nick == "one-shot":
            self.segmenter.emit("set-mask", sample)
        else:
            self._set_mode("one-shot", lambda: self.segmenter.emit("set-mask", sample))

    def _copy_labels(self):
        """The newest masks, row by row without padding, if they have the picture's size."""
        buffer = self.labels
        layout = buffer and GstVideo.buffer_get_video_meta(buffer)
        if not layout or (layout.width, layout.height) != (WIDTH, HEIGHT):
            return None
        data = buffer.extract_dup(0, buffer.get_size())
        stride, offset = layout.stride[0], layout.offset[0]
        return b"".join(data[offset + y * stride:offset + y * stride + WIDTH]
                        for y in range(HEIGHT))

    def set_mode(self, mode):
        if mode not in ("auto", "zero-shot"):
            raise ValueError("no such mode")
        self.mode = mode
        self._set_mode(mode)

    def _set_mode(self, mode, then=lambda: None):
        """rvosseg accepts a mode only while it is stopped, so it is unlinked for a moment.

        The change runs in this thread or, if a frame is on its way, in the frame's. Two
        changes in a row may so run in two threads.
        """
        before = self.pipeline.get_by_name("gate").get_static_pad("src")
        segmenter = self.segmenter

        def change(_pad, _info):
            with self.changing:
                before.unlink(segmenter.get_static_pad("sink"))
                segmenter.set_state(Gst.State.READY)
                segmenter.set_property("mode", mode)
                segmenter.sync_state_with_parent()
                then()
                before.link(segmenter.get_static_pad("sink"))
            return Gst.PadProbeReturn.REMOVE
        before.add_probe(Gst.PadProbeType.IDLE, change)

    def set_blur(self, on):
        self.segmenter.set_property("output", "alpha" if on else "overlay")

    def reset(self):
        """Forgets all objects and looks for new ones."""
        self._set_mode(self.mode)
