# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the Python package with rvos-segment, and tests its handles and results.

test_package.py MODEL RVOS_SEGMENT: a small random network, and the tool or "".
"""
import fractions
import gc
import logging
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import rvos
from fixture import MODEL, SIZE, clip, run, square
from rvos._pixels import image_of

SEGMENT = sys.argv[2]


@unittest.skipUnless(SEGMENT and os.path.exists(SEGMENT), "no rvos-segment")
class Peer(unittest.TestCase):
    def tool(self, folder, *options):
        from PIL import Image

        for t, frame in enumerate(clip()):
            (folder / "in").mkdir(exist_ok=True)
            Image.fromarray(frame).save(folder / "in" / f"{t:03d}.png")
        Image.fromarray(square()).save(folder / "mask.png")
        subprocess.run([SEGMENT, "-q", "-m", MODEL, "-s", f"{SIZE[0]}x{SIZE[1]}", *options,
                        folder / "in", folder / "out"], cwd=folder, check=True)
        return [np.asarray(Image.open(p)) for p in sorted((folder / "out").glob("*.png"))]

    def test_masks_are_those_of_rvos_segment(self):
        cases = {"zero-shot": (["-t", "zero-shot", "-n", "3"], None),
                 "auto": (["-t", "auto", "-n", "3"], None),
                 "one-shot": (["-t", "one-shot", "-n", "3", "-i", "mask.png", "--live-slots"],
                              square())}
        for task, (options, seed) in cases.items():
            with self.subTest(task), tempfile.TemporaryDirectory() as folder:
                theirs = self.tool(pathlib.Path(folder), *options)
                ours = run(clip(), task, seed, objects=3)
                self.assertEqual(len(theirs), len(ours))
                for a, b in zip(theirs, ours):
                    np.testing.assert_array_equal(a, b)
                if task != "auto":  # random weights may find nothing to follow
                    self.assertTrue(any(labels.any() for labels in ours))


class Pixels(unittest.TestCase):
    """Any memory layout gives the same masks, without a copy if that is possible."""

    def same(self, frames, copied, **how):
        for frame in frames:
            self.assertEqual(image_of(frame, how.get("format")).copied, copied)
        with rvos.Model(MODEL, size=SIZE) as model, \
                model.stream("zero-shot", objects=3) as stream:
            ours = [stream.process(frame, **how).labels for frame in frames]
        np.testing.assert_array_equal(ours, run(clip(), "zero-shot", objects=3))

    def test_crops_and_padded_rows_are_read_in_place(self):
        large = [np.pad(f, ((3, 4), (5, 6), (0, 0))) for f in clip()]
        self.same([f[3:-4, 5:-6] for f in large], False)

    def test_views_that_turn_bgr_into_rgb_are_read_in_place(self):
        self.same([np.ascontiguousarray(f[..., ::-1])[..., ::-1] for f in clip()], False)

    def test_bgr_and_alpha(self):
        self.same([np.ascontiguousarray(f[..., ::-1]) for f in clip()], False, format="bgr")
        self.same([np.dstack([f, f[..., 0]]) for f in clip()], False)
        self.same([np.dstack([f[..., ::-1], f[..., :1]])[..., [2, 1, 0, 3]] for f in clip()],
                  True)

    def test_other_strides_are_copied(self):
        self.same([np.asfortranarray(f) for f in clip()], True)
        self.same([np.ascontiguousarray(f[::-1])[::-1] for f in clip()], True)
        self.same([np.repeat(f, 2, axis=1)[:, ::2] for f in clip()], True)

    def test_read_only_frames(self):
        frames = clip()
        for frame in frames:
            frame.flags.writeable = False
        self.same(frames, False)

    def test_planes_are_those_of_pyav(self):
        try:
            import av
        except ImportError:
            self.skipTest("no PyAV")
        for name, kind in [("yuv420p", "i420"), ("nv12", "nv12"), ("yuv444p", "y444")]:
            with self.subTest(name), rvos.Model(MODEL, size=SIZE) as model:
                one, two = (model.stream("zero-shot", objects=3) for _ in range(2))
                for frame in clip():
                    decoded = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=name)
                    planes = []
                    for number, plane in enumerate(decoded.planes):
                        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
                        if kind == "nv12" and number:
                            rows = rows[:, :2 * plane.width].reshape(plane.height, -1, 2)
                        else:
                            rows = rows[:, :plane.width]
                        planes.append(rows)
                    a = one.process(decoded).labels
                    b = two.process(tuple(planes), format=kind).labels
                    self.assertTrue(a.any())
                    np.testing.assert_array_equal(a, b)

    def test_rows_that_go_backwards_in_memory(self):
        """As FFmpeg's vflip leaves them."""
        try:
            import av.filter
        except ImportError:
            self.skipTest("no PyAV")
        frame = av.VideoFrame.from_ndarray(clip()[0], "rgb24")
        frame.pts, frame.time_base = 0, fractions.Fraction(1, 25)
        graph = av.filter.Graph()
        source = graph.add_buffer(width=90, height=60, format=frame.format,
                                  time_base=frame.time_base)
        flip, sink = graph.add("vflip"), graph.add("buffersink")
        source.link_to(flip)
        flip.link_to(sink)
        graph.configure()
        graph.push(frame)
        flipped = graph.pull()
        self.assertLess(flipped.planes[0].line_size, 0)
        ours = run([flipped], "zero-shot", objects=3)
        np.testing.assert_array_equal(ours, run([clip()[0][::-1]], "zero-shot", objects=3))
        self.assertTrue(np.any(ours))

    def test_labels_go_where_the_caller_wants(self):
        frame, labels = clip()[0], np.full((70, 200), 99, np.uint8)
        with rvos.Model(MODEL, size=SIZE) as model, model.stream("zero-shot") as stream:
            masks = stream.process(frame, labels=labels[5:65, 10:190:2], alpha=True)
        self.assertTrue((labels[:5] == 99).all() and (labels[5:65, 11:190:2] == 99).all())
        self.assertTrue(np.shares_memory(masks.labels, labels))
        self.assertLessEqual(labels[5:65, 10:190:2].max(), 10)
        self.assertEqual(masks.alpha.shape, (60, 90))
        # A pixel of an object has at least the threshold's probability, here 0.5.
        self.assertTrue((masks.alpha[masks.labels > 0] >= 127).all())

class Handles(unittest.TestCase):
    def test_errors_are_exceptions_with_the_librarys_words(self):
        with self.assertRaisesRegex(ValueError, "no byte 0"):
            rvos.Model(MODEL + "\0b")
        with self.assertRaisesRegex(rvos.NotFound, "/nowhere/a.safetensors") as caught:
            rvos.Model("/nowhere/a.safetensors")
        self.assertIsInstance(caught.exception, FileNotFoundError)
        self.assertEqual(caught.exception.status, -3)
        with self.assertRaisesRegex(rvos.FormatError, "test_package.py"):
            rvos.Model(__file__)
        with self.assertRaisesRegex(rvos.Error, "abacus"):
            rvos.Device("abacus")
        with rvos.Model(MODEL, size=SIZE) as model:
            with self.assertRaisesRegex(rvos.InvalidArgument, "objects"):
                model.stream(objects=1000)
            with self.assertRaisesRegex(ValueError, "two-shot"):
                model.stream("two-shot")
            with model.stream("one-shot") as stream:
                with self.assertRaisesRegex(rvos.WrongTask, "auto|AUTO|task"):
                    stream.discover()
                with self.assertRaisesRegex(rvos.InvalidArgument, "out of range"):
                    stream.drop(11)

    def test_closed_handles(self):
        with rvos.Device(threads=1) as device:
            model = rvos.Model(MODEL, device=device, size=SIZE)
            stream = model.stream("zero-shot")
        model.close()
        # The stream keeps its model and device: handles may be closed in any order.
        stream.process(clip()[0])
        stream.close()
        stream.close()
        self.assertTrue(stream.closed and model.closed and device.closed)
        with self.assertRaisesRegex(ValueError, "the stream is closed"):
            stream.process(clip()[0])
        with self.assertRaisesRegex(ValueError, "the model is closed"):
            model.stream()

    def test_nothing_stays_behind(self):
        def threads():
            return len(os.listdir("/proc/self/task"))

        def files():
            return len(os.listdir("/proc/self/fd"))

        def use():
            model = rvos.Model(MODEL, device=rvos.Device(threads=2), size=SIZE)
            model.stream("zero-shot").process(clip()[0])

        use()
        gc.collect()
        before = threads(), files()
        for _ in range(5):
            use()  # closes nothing
        gc.collect()
        self.assertEqual((threads(), files()), before)

    def test_what_the_library_says_goes_to_logging(self):
        with self.assertLogs("rvos", logging.DEBUG) as caught:
            rvos.Model(MODEL, size=SIZE).stream("zero-shot").process(clip()[0])
        self.assertTrue(any("plan: " in line for line in caught.output), caught.output)

    def test_seeds(self):
        with rvos.Model(MODEL, size=SIZE) as model, \
                model.stream("one-shot", objects=3) as stream:
            stream.seed(np.stack([square() > 0, square(8) > 0]))
            self.assertEqual({o.id for o in stream.process(clip()[0])} - {1, 2}, set())
            self.assertEqual(stream.info.live, 2)
            stream.seed(square() * 3, ids=[3])
            stream.process(clip()[1])
            self.assertEqual(stream.info.live, 3)
            self.assertEqual(stream.probabilities(1).shape, SIZE[::-1])
            with self.assertRaisesRegex(ValueError, "0 to 255"):
                stream.seed(np.full((4, 4), 300))
            with self.assertRaisesRegex(ValueError, "labels or bool"):
                stream.seed(np.zeros((4, 4)))
            with self.assertRaisesRegex(rvos.InvalidArgument, "5|slot"):
                stream.seed(square(), ids=[5])
            with self.assertRaisesRegex(ValueError, "object 4, and the stream has 3 slots"):
                stream.seed(square() * 4)
            with self.assertLogs("rvos", logging.WARNING) as caught:
                stream.seed(np.where(square(8), 4, square()))
            self.assertIn("object 4 of the masks is ignored", caught.output[0])
            stream.reset()
            self.assertEqual(stream.info.frames, 0)

    def test_fork(self):
        """A child process gets an error that says why, and can open a model of its own."""
        code = """if True:
            import os, sys, rvos, numpy as np
            frame = np.zeros((60, 90, 3), np.uint8)
            stream = rvos.Model(sys.argv[1], size=(96, 64)).stream("zero-shot")
            if os.fork() == 0:
                try:
                    stream.process(frame)
                except rvos.DeviceError as e:
                    print(e)
                rvos.Model(sys.argv[1], size=(96, 64)).stream("zero-shot").process(frame)
                print("done", flush=True)
                os._exit(0)
            os.wait()
            """
        out = subprocess.run([sys.executable, "-c", code, MODEL], stdout=subprocess.PIPE,
                             check=True, text=True, timeout=60).stdout
        self.assertRegex(out, "this one was forked: open a Model here(?s:.*)done")

    def test_a_thread_of_python_runs_while_the_network_does(self):
        ran, seen = [], False
        with rvos.Model(MODEL, device=rvos.Device(threads=1)) as model, \
                model.stream("zero-shot") as stream:
            frame, ready, stop = clip()[0], threading.Event(), threading.Event()
            stream.process(frame)

            def count():
                ready.set()
                while not stop.is_set():
                    ran.append(time.monotonic())
                    time.sleep(0.0005)  # gives the GIL away

            thread = threading.Thread(target=count)
            thread.start()
            ready.wait()
            # If the GIL were held, no thread could append between these two moments, because
            # Python does not switch threads so soon.
            interval = sys.getswitchinterval()
            sys.setswitchinterval(1000)
            try:
                for _ in range(200):  # on a busy machine the thread may miss a few frames
                    before = time.monotonic()
                    stream.process(frame)
                    after = time.monotonic()
                    if any(before < t < after for t in ran[-100:]):
                        seen = True
                        break
            finally:
                sys.setswitchinterval(interval)
                stop.set()
            thread.join()
        self.assertTrue(seen)

    def test_threads_share_a_model(self):
        wanted = run(clip(), "zero-shot", objects=3)
        got = {}
        with rvos.Model(MODEL, size=SIZE) as model:
            def work(number):
                with model.stream("zero-shot", objects=3) as stream:
                    got[number] = [stream.process(f).labels for f in clip()]

            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for number in range(4):
            np.testing.assert_array_equal(got[number], wanted)


class Results(unittest.TestCase):
    def masks(self):
        with rvos.Model(MODEL, size=SIZE) as model:
            return list(rvos.segment(clip(), model=model, task="zero-shot"))[3]

    def test_boxes_masks_and_areas_agree(self):
        _, masks = self.masks()
        self.assertGreater(len(masks), 0)
        self.assertEqual(masks.masks.shape, (len(masks), 60, 90))
        for number, thing in enumerate(masks):
            mask = masks.mask(thing)
            np.testing.assert_array_equal(mask, masks.masks[number])
            y, x = np.nonzero(mask)
            self.assertEqual(thing.area, len(x))
            self.assertEqual(list(masks.xyxy[number]), [x.min(), y.min(), x.max() + 1, y.max() + 1])
            self.assertTrue(0 < thing.score <= 1)

    def test_drawing(self):
        frame, masks = self.masks()
        before = frame.copy()
        drawn = masks.draw(frame, opacity=1, contour=0)
        np.testing.assert_array_equal(frame, before)
        np.testing.assert_array_equal(drawn[masks.labels == 0], frame[masks.labels == 0])
        colour = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0)}
        for thing in [t for t in masks if t.id in colour]:
            np.testing.assert_array_equal(drawn[masks.mask(thing)][0], colour[thing.id])

    def test_one_shot_is_taken_with_masks(self):
        with rvos.Model(MODEL, size=SIZE) as model:
            found = [m for _, m in rvos.segment(clip(), model=model, masks={2: square(2)})]
            self.assertFalse(found[0].labels.any() or found[1].labels.any())
            with model.stream("one-shot") as stream:
                for frame in clip()[:2]:
                    stream.process(frame)
                stream.seed(square(2))
                wanted = [stream.process(frame).labels for frame in clip()[2:]]
        np.testing.assert_array_equal([m.labels for m in found[2:]], wanted)

    def test_turned_videos_are_upright(self):
        try:
            import av
        except ImportError:
            self.skipTest("no PyAV")
        from rvos._video import decoded

        one = 65536
        cases = {  # (a, b, c, d) of the display matrix, and the same by NumPy
            (one, 0, 0, one): lambda f: f,
            (0, one, -one, 0): lambda f: np.rot90(f, -1),
            (-one, 0, 0, -one): lambda f: np.rot90(f, 2),
            (0, -one, one, 0): lambda f: np.rot90(f),
            (-one, 0, 0, one): lambda f: f[:, ::-1],
            (one, 0, 0, -one): lambda f: f[::-1],
            (0, one, one, 0): lambda f: f.transpose(1, 0, 2),
            (0, -one, -one, 0): lambda f: np.rot90(f, 2).transpose(1, 0, 2)}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.mp4"
            with av.open(str(path), "w") as out:
                stream = out.add_stream("mpeg4", rate=25)
                stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
                for frame in clip(4, 64, 96):
                    out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
                out.mux(stream.encode())
            data = path.read_bytes()
            at = data.index(b"tkhd") + 4 + 40
            self.assertEqual(struct.unpack(">9i", data[at:at + 36]),
                             (one, 0, 0, 0, one, 0, 0, 0, 1 << 30))

            def turn(a, b, c, d):
                matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
                path.write_bytes(data[:at] + matrix + data[at + 36:])

            def planes():
                return [frame.to_ndarray(format="gray")[..., None] for frame in decoded(path)]

            plain = planes()
            for matrix, turned in cases.items():
                turn(*matrix)
                with self.subTest(matrix):
                    np.testing.assert_array_equal(planes(), [turned(f) for f in plain])
                    self.assertEqual([frame.time for frame in decoded(path)],
                                     [t / 25 for t in range(4)])
                    with rvos.Model(MODEL, size=SIZE) as model:
                        frame, masks = next(rvos.segment(path, model=model, task="zero-shot"))
                    self.assertEqual(frame.shape[:2], turned(plain[0]).shape[:2])
                    self.assertEqual(masks.labels.shape, frame.shape[:2])
            turn(46341, 46341, -46341, 46341)  # by 45 degrees
            with self.assertRaisesRegex(ValueError, "90, 180 or 270 degrees"):
                next(decoded(path))

    def test_a_video_may_be_left_early(self):
        """Run in a program of its own, because a fault would make it hang."""
        try:
            import av  # noqa: F401
        except ImportError:
            self.skipTest("no PyAV")
        video = pathlib.Path(__file__).resolve().parents[2] / "data" / "clips" / "cup.mp4"
        program = ("import sys\n"
                   "from rvos._video import decoded\n"
                   "for _ in range(6):\n"
                   "    frames = decoded(sys.argv[1])\n"
                   "    for n, _ in zip(range(20), frames):\n"
                   "        pass\n"
                   "    frames.close()\n")
        done = subprocess.run([sys.executable, "-c", program, str(video)], timeout=60)
        self.assertEqual(done.returncode, 0)

    def test_coco(self):
        try:
            from pycocotools import coco as peer
        except ImportError:
            self.skipTest("no pycocotools")
        import rvos.coco

        _, masks = self.masks()
        dataset = rvos.coco.Dataset()
        dataset.add(masks, "a.png")
        dataset.add(masks, "b.png")
        with tempfile.TemporaryDirectory() as folder:
            dataset.save(os.path.join(folder, "d.json"))
            self.assertEqual(os.listdir(folder), ["d.json"])
            read = peer.COCO(os.path.join(folder, "d.json"))
        found = read.loadAnns(read.getAnnIds(imgIds=[2]))
        self.assertEqual(len(found), len(masks))
        for one, thing in zip(found, masks):
            np.testing.assert_array_equal(read.annToMask(one), masks.mask(thing))
            self.assertEqual(one["track_id"], thing.track_id)

    def test_supervision(self):
        try:
            import supervision  # noqa: F401
        except ImportError:
            self.skipTest("no supervision")
        _, masks = self.masks()
        detections = masks.to_supervision()
        self.assertEqual(len(detections), len(masks))
        np.testing.assert_array_equal(detections.tracker_id, [o.track_id for o in masks])
        np.testing.assert_array_equal(detections.area, [o.area for o in masks])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
