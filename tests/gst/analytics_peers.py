#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""analytics_peers.py CLIP: other programs read rvosseg's GstAnalytics metadata.

One is this program, through GObject introspection; the other is GStreamer's element
objectdetectionoverlay, which draws the boxes. GST_PLUGIN_PATH leads to rvosseg.
"""
import sys

try:
    import gi
    gi.require_version("Gst", "1.0")
    gi.require_version("GstAnalytics", "1.0")
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstVideo", "1.0")
    from gi.repository import Gst, GstAnalytics, GstApp, GstVideo  # noqa: F401 (appsink)
    import numpy as np
except (ImportError, ValueError) as e:
    print(f"skipped: {e}")
    sys.exit(77)

FRAMES = 12
RED = 0xffff0000  # ARGB
PIPELINE = """filesrc location={clip} ! decodebin ! videoconvert ! identity eos-after={frames} !
    video/x-raw,format=BGRA ! rvosseg name=seg mode=zero-shot min-age=0 output=none
    attach-meta=analytics late-policy=process ! objectdetectionoverlay draw-labels=false
    object-detection-outline-color={red} ! videoconvert ! video/x-raw,format=RGB !
    appsink name=out sync=false max-buffers=0"""


def detections(meta):
    """{number of the entry: (x, y, w, h, score)}, {number of the entry: tracking id}."""
    boxes, ids = {}, {}
    for number in range(GstAnalytics.relation_get_length(meta)):
        found, entry = meta.get_od_mtd(number)
        if found:
            read, x, y, w, h, score = entry.get_location()
            assert read and w > 0 and h > 0 and 0 < score <= 1, (x, y, w, h, score)
            boxes[number] = (x, y, w, h, score)
        found, entry = meta.get_tracking_mtd(number)
        if found:
            read, tracking_id, first, last, lost = entry.get_info()
            assert read and first <= last and not lost
            ids[number] = tracking_id
    return boxes, ids


def check_segmentation(meta, boxes, frame):
    """Masks have the width and height of their boxes."""
    state, regions = None, 0
    for number in range(GstAnalytics.relation_get_length(meta)):
        found, entry = meta.get_segmentation_mtd(number)
        if not found:
            continue
        mask, _, _, width, height = entry.get_mask()
        layout = GstVideo.buffer_get_video_meta(mask)
        assert (width, height) == frame, (width, height)
        read, bytes_ = mask.map(Gst.MapFlags.READ)
        assert read
        stride = layout.stride[0]
        grey = np.frombuffer(bytes_.data, np.uint8)[:stride * layout.height].reshape(-1, stride)
        labels = grey[:, :layout.width].copy()
        mask.unmap(bytes_)
        regions = entry.get_region_count()
        for box in boxes:
            assert meta.get_relation(number, box) & GstAnalytics.RelTypes.CONTAIN
            assert meta.get_relation(box, number) & GstAnalytics.RelTypes.IS_PART_OF
        extents = set()
        for region in range(regions):
            ys, xs = np.nonzero(labels == entry.get_region_id(region))
            if len(xs):
                extents.add((xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1))
        for x, y, w, h, _ in boxes.values():
            assert (x, y, w, h) in extents, ((x, y, w, h), extents)
        return True
    return False


def main():
    Gst.init(None)
    for name in ("rvosseg", "objectdetectionoverlay", "avdec_h264"):
        if not Gst.ElementFactory.find(name):
            print(f"skipped: no element {name}")
            return 77
    pipeline = Gst.parse_launch(PIPELINE.format(clip=sys.argv[1], frames=FRAMES, red=RED))
    seen = {}  # time: boxes

    def probe(pad, info):
        buffer = info.get_buffer()
        frame = GstVideo.VideoInfo.new_from_caps(pad.get_current_caps())
        meta = GstAnalytics.buffer_get_analytics_relation_meta(buffer)
        if meta:
            boxes, ids = detections(meta)
            for box in boxes:
                related = [i for i in ids if meta.get_relation(box, i)
                           & GstAnalytics.RelTypes.RELATE_TO]
                assert len(related) == 1, (boxes, ids)
            assert check_segmentation(meta, boxes, (frame.width, frame.height)) or not boxes
            seen[buffer.pts] = boxes
        return Gst.PadProbeReturn.OK
    errors = []

    def guarded(pad, info):
        try:
            return probe(pad, info)
        except Exception as e:  # a callback's exception would be printed and lost
            errors.append(repr(e))
            return Gst.PadProbeReturn.OK
    pipeline.get_by_name("seg").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, guarded)
    out = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    drawn = 0
    while (sample := out.try_pull_sample(60 * Gst.SECOND)) is not None:
        buffer, info = sample.get_buffer(), GstVideo.VideoInfo.new_from_caps(sample.get_caps())
        pixels = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
        pixels = pixels.reshape(info.height, info.stride[0])[:, :3 * info.width]
        pixels = pixels.reshape(info.height, info.width, 3)
        for x, y, w, h, _ in seen.get(buffer.pts, {}).values():
            edge = pixels[max(y - 2, 0):y + 3, x + w // 2].astype(int)
            drawn += bool(((edge[:, 0] > 180) & (edge[:, 1:] < 90).all(1)).any())
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    assert message is None, message.parse_error()
    assert not errors, errors[:3]
    boxes = sum(map(len, seen.values()))
    print(f"{len(seen)} frames with metadata, {boxes} boxes, {drawn} drawn by the overlay")
    assert boxes >= FRAMES and drawn == boxes
    return 0


if __name__ == "__main__":
    sys.exit(main())
