# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the Python package says of mistakes of its users, and what it reads as they mean it.

test_mistakes.py MODEL: a small random network.
"""
import logging
import pathlib
import sys
import tempfile
import unittest

import numpy as np

import rvos
from fixture import MODEL, SIZE, clip, run, square
from rvos._handles import _bits
from rvos._pixels import labels_of


class Frames(unittest.TestCase):
    def test_pictures_of_pil(self):
        """As they look, whatever PIL has in memory."""
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("no PIL")
        few = [Image.fromarray(frame).quantize(16) for frame in clip()]
        wanted = run([np.asarray(f.convert("RGB")) for f in few], "zero-shot", objects=3)
        for mode in ("P", "RGB", "RGBA"):
            np.testing.assert_array_equal(
                run([f.convert(mode) for f in few], "zero-shot", objects=3), wanted)
        one = Image.fromarray(clip()[0])
        for mode in ("1", "LA", "CMYK", "YCbCr", "HSV"):
            other = one.convert(mode)
            np.testing.assert_array_equal(
                run([other], "zero-shot"), run([np.asarray(other.convert("RGB"))], "zero-shot"))
        for mode in ("I", "I;16", "F"):
            with self.assertRaisesRegex(TypeError, f"8 bits a sample, not PIL's mode {mode}"):
                run([Image.new(mode, (90, 60))], "zero-shot")

    def test_bad_labels_and_sizes_are_told_in_words(self):
        """Writing to read-only memory would end the program."""
        frozen = np.zeros((60, 90), np.uint8)
        frozen.flags.writeable = False
        sizes = [(size, "height, width") for size in ((0, 0), (-1, 5), (4, 5, 6), 5, (5.5, 5))]
        with rvos.Model(MODEL, size=SIZE) as model, model.stream() as stream:
            for how, error, words in [
                    ({"labels": frozen}, ValueError, "labels is read-only"),
                    ({"labels": [[0]]}, TypeError, "labels must be an array, not list"),
                    ({"labels": np.zeros((30, 45), np.uint8), "size": (60, 90)}, ValueError,
                     r"labels are \(30, 45\), but size is \(60, 90\)"),
                    ({"labels": np.zeros((0, 9), np.uint8)}, ValueError, "must not be empty"),
                    *(({"size": size}, ValueError, words) for size, words in sizes)]:
                with self.subTest(how), self.assertRaisesRegex(error, words):
                    stream.process(clip()[0], **how)
            self.assertEqual(stream.info.frames, 0)
        with self.assertRaisesRegex(ValueError, "width, height"):
            rvos.Model(MODEL, size=(96,))

    def test_bad_frames_are_told_in_words(self):
        with rvos.Model(MODEL, size=SIZE) as model, model.stream() as stream:
            for frame, how, error, words in [
                    (np.zeros((4, 4, 3)), {}, TypeError, "uint8, not float64"),
                    (np.zeros((4, 4, 2), np.uint8), {}, ValueError, r"not \(4, 4, 2\)"),
                    (np.zeros((0, 4, 3), np.uint8), {}, ValueError, "must not be empty"),
                    (np.zeros((4, 4, 3), np.uint8), {"format": "nv12"}, ValueError, "nv12"),
                    (np.zeros((6, 4), np.uint8), {"format": "i420"}, ValueError, "3 planes"),
                    (np.zeros((4, 4, 3), np.uint8), {"format": "RGB"}, ValueError, "rgb, bgr"),
                    (None, {}, TypeError, "a frame must be an array, not None"),
                    ("a.png", {}, TypeError, "a path: open 'a.png' first"),
                    ([clip()[0]], {}, ValueError, "a frame is an array, .* not a list"),
                    (np.zeros((4, 4, 3), np.uint8), {"matrix": "pal"}, ValueError, "pal"),
                    ((np.zeros((4, 4), np.uint8),), {"format": "nv12"}, ValueError, "2 planes"),
                    (np.zeros((4, 4, 3), np.uint8), {"threshold": 3}, rvos.InvalidArgument,
                     "threshold"),
                    (np.zeros((4, 4, 3), np.uint8), {"hidden": [40]}, ValueError, "1 to 32"),
                    (np.zeros((4, 4, 3), np.uint8), {"labels": np.zeros((4, 4))}, ValueError,
                     "labels must be uint8")]:
                with self.subTest(words), self.assertRaisesRegex(error, words):
                    stream.process(frame, **how)
            self.assertEqual(stream.info.frames, 0)

    def test_frames_to_draw_on(self):
        frame, masks = next(rvos.segment(clip(), model=MODEL))
        for other in (frame / 255, frame.astype(np.uint16)):
            with self.assertRaisesRegex(TypeError, "a frame must be uint8"):
                masks.draw(other)

    def test_numbers_and_names(self):
        """A wrong one is named. NumPy's numbers of 8 bits are numbers like others."""
        self.assertEqual(_bits(np.array([1, 9, 32], np.uint8)), 1 | 1 << 8 | 1 << 31)
        with rvos.Model(MODEL, size=SIZE) as model, model.stream(objects=np.int8(3)) as stream:
            masks = stream.process(clip()[0], min_object_size=np.uint8(4))
            for call, words in [
                    (lambda: rvos.Device(threads=1.5), "threads must be a whole number, not 1.5"),
                    (lambda: rvos.Device(threads=1 << 40), "threads is out of range: 1099511"),
                    (lambda: rvos.Device(index="0"), "index must be a whole number, not '0'"),
                    (lambda: rvos.Device("cpu\0"), "backend must be cpu, cuda or reference, not"),
                    (lambda: rvos.Device(b"cpu"), "backend must be cpu, .*, not b'cpu'"),
                    (lambda: rvos.Model(MODEL, device="cpu"), r'such as rvos.Device\("cpu"\)'),
                    (lambda: rvos.Model(MODEL, precision=["fp32"]), "precision must be one of"),
                    (lambda: rvos.Model(MODEL, max_batch=1.0), "max_batch must be a whole"),
                    (lambda: rvos.Model(MODEL, batch_wait=float("nan")), "batch_wait must be"),
                    (lambda: model.stream(objects=None), "objects must be a whole .*, not None"),
                    (lambda: model.stream(discovery_interval=0.5), "discovery_interval must be"),
                    (lambda: stream.process(clip()[0], min_object_size=0.1), "min_object_size"),
                    (lambda: stream.process(clip()[0], hidden=[1.5]), "id must be a whole number"),
                    (lambda: stream.drop("1"), "an object's id must be a whole number, not '1'"),
                    (lambda: stream.seed_box(1 << 40, (0, 0, 1, 1)), "id is out of range: 1099"),
                    (lambda: stream.probabilities(None), "an object's id must be a whole number"),
                    (lambda: masks.draw(clip()[0], contour=1.5), "contour must be a whole")]:
                with self.subTest(words), self.assertRaisesRegex((TypeError, ValueError), words):
                    call()

    def test_a_folder_is_no_video(self):
        try:
            import av  # noqa: F401
        except ImportError:
            self.skipTest("no PyAV")
        with self.assertRaisesRegex(IsADirectoryError, "is a folder: give a video"):
            next(iter(rvos.segment(pathlib.Path(__file__).parent)))

    def test_what_is_no_video(self):
        for wrong in (None, 5, b"a.mp4", {}):
            with self.assertRaisesRegex(TypeError, f"a path .*, not {type(wrong).__name__}"):
                next(rvos.segment(wrong, model=MODEL))

    def test_a_decoders_error_names_the_file(self):
        try:
            import av
        except ImportError:
            self.skipTest("no PyAV")
        av.logging.set_level(av.logging.PANIC)
        cup = pathlib.Path(__file__).parents[2] / "data" / "clips" / "cup.mp4"
        with tempfile.TemporaryDirectory() as folder:
            cut = pathlib.Path(folder) / "cut.mp4"
            cut.write_bytes(cup.read_bytes()[:20000])
            with self.assertRaisesRegex(av.error.FFmpegError, "data .*cut.mp4") as caught:
                list(rvos.segment(cut, model=MODEL))
            self.assertEqual(caught.exception.filename, str(cut))

    def test_one_picture_is_no_video(self):
        grey, pictures = clip()[0][:, :, 0], [clip()[0]]
        try:
            from PIL import Image
            pictures.append(Image.fromarray(clip()[0]))
        except ImportError:
            pass
        for picture in (grey, *pictures):
            with self.assertRaisesRegex(ValueError, r"one picture .*\(60, 90.*\[picture\]"):
                next(rvos.segment(picture, model=MODEL))
        for video in (np.stack(clip(2)), np.stack([grey, grey]), [grey, grey], iter(pictures)):
            found = list(rvos.segment(video, model=MODEL, task="zero-shot"))
            self.assertEqual(found[0][0].shape[:2], (60, 90))
            self.assertEqual(found[0][1].labels.shape, (60, 90))


class Seeds(unittest.TestCase):
    def test_masks_of_frames_that_do_not_come(self):
        for wrong in (-1, 1.5, "1"):
            with self.assertRaisesRegex(ValueError, f"integer from 0, not {wrong!r}"):
                next(rvos.segment(clip(3), model=MODEL, masks={0: square(), wrong: square()}))
        with self.assertLogs("rvos", logging.WARNING) as caught:
            list(rvos.segment(clip(3), model=MODEL, masks={np.int64(2): square(2),
                                                           50: square() * 2}))
        self.assertEqual(caught.output, ["WARNING:rvos:masks of frame 50 are not used: the "
                                         "video has 3 frames, counted from 0"])

    def test_masks_of_another_shape(self):
        """They are stretched, and that is told once; a scaled mask is not told."""
        with self.assertLogs("rvos", logging.WARNING) as caught:
            list(rvos.segment(clip(3), model=MODEL, masks={
                0: np.ones((40, 60), np.uint8), 1: np.ones((90, 60), np.uint8),
                2: np.ones((60, 60), np.uint8)}))
        self.assertEqual(caught.output, ["WARNING:rvos:a mask of 60x90 is stretched to frames of "
                                         "90x60, which have another aspect ratio"])
        with rvos.Model(MODEL, size=SIZE) as model, model.stream("one-shot") as stream:
            stream.seed(np.ones((60, 60), np.uint8))
            stream.reset()  # takes that mask back
            stream.seed(square())
            with self.assertNoLogs("rvos", logging.WARNING):
                stream.process(clip()[0])

    def test_masks_without_an_object(self):
        empty = np.zeros((60, 90), np.uint8)
        for masks in (empty, {0: empty, 1: empty}, empty > 0):
            with self.assertRaisesRegex(ValueError, "the masks show no object"):
                next(rvos.segment(clip(2), model=MODEL, masks=masks))
        list(rvos.segment(clip(2), model=MODEL, masks={0: empty, 1: square()}))

    def test_what_is_no_mask(self):
        for wrong, words in [("a.png", "a path: open 'a.png' first"), (None, "not None"),
                             (pathlib.Path("a.png"), "open 'a.png' first"),
                             ({"a": square()}, "not dict")]:
            with self.assertRaisesRegex(TypeError, f"masks must be an array.*{words}"):
                labels_of(wrong)
        with self.assertRaisesRegex(TypeError, "open 'a.png' first"):
            next(rvos.segment(clip(), model=MODEL, masks="a.png"))

    def test_ids_and_boxes(self):
        nan = float("nan")
        with rvos.Model(MODEL, size=SIZE) as model, model.stream("auto", objects=3) as stream:
            for call, words in [
                    (lambda: stream.drop(99), "object 99 is out of range: the stream has 1 to 3"),
                    (lambda: stream.probabilities(0), "object 0 is out of range"),
                    (lambda: stream.seed_box(4, (0, 0, 1, 1)), "object 4 is out of range"),
                    (lambda: stream.seed_box(1, (0, nan, 1, 1)), "finite numbers"),
                    (lambda: stream.seed_box(1, (1, 0, -1, 1)), "a width and a height"),
                    (lambda: stream.seed_box(1, (0, 0, 1)), "x, y, width, height"),
                    (lambda: stream.seed_box(1, (0, 0, 1, 1, 1)), "x, y, width, height"),
                    (lambda: stream.seed_box(1, (20, 10, 40, 30)), "fractions .*, not in pixels")]:
                with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                    call()
            stream.seed_box(1, np.array([0, 0, 0.5, 0.5], np.float32))
            stream.seed_box(2, (-0.2, 0.9, 1.5, 0.3))

    def test_black_and_white_masks(self):
        """As a picture has them: 255 is the object, or "ignore" beside others."""
        self.assertTrue((labels_of(square() * 255) == square()).all())
        self.assertTrue((labels_of(square() * 40) == square()).all())
        both = square() * 2
        both[40:50] = 255
        self.assertTrue((labels_of(both) == square() * 2).all())
        both[55:] = 128
        with self.assertRaisesRegex(ValueError, "have the values 128, 255. .*mask > 127"):
            labels_of(both)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
