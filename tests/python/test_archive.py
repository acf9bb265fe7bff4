# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_archive.py MODEL: tests rvos-archive on small synthetic clips."""
import contextlib
import fractions
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

try:
    import av
    import distributed  # noqa: F401
    import numpy as np
    import tqdm  # noqa: F401
    from PIL import Image
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

import rvos
import rvos.archive
from rvos import _archive_work as work

MODEL = os.path.abspath(sys.argv[1])
SIZE = (128, 96)
OPTIONS = ["-m", MODEL, "-s", "128x96", "-n", "3"]
PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "archive_hang.py")


def make(path, seed=0, frames=7, **options):
    """A clip: a disc goes over noise. Keyframes each 12 frames."""
    random = np.random.default_rng(seed)
    noise = random.integers(60, 120, (96, 128, 3), np.uint8)
    y, x = np.mgrid[:96, :128]
    colour = random.integers(150, 256, 3)
    with av.open(str(path), "w", **options) as out:
        stream = out.add_stream("mpeg4", rate=25, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for t in range(frames):
            picture = noise.copy()
            picture[(x - 30 - 5 * (t % 12) - seed % 7) ** 2 + (y - 50) ** 2 < 400] = colour
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = t, fractions.Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def archive(*arguments, env=None, **options):
    done = subprocess.run([sys.executable, "-m", "rvos.archive", *map(str, arguments)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200,
                          env={**os.environ, **(env or {})}, check=False, **options)
    print(done.stdout)
    return done


def here(*arguments):
    """As archive, in this process: for runs that end before they start workers."""
    said = io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = rvos.archive.main(list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, before)
    print(said.getvalue())
    return subprocess.CompletedProcess(arguments, status, said.getvalue())


def read(path):
    """(labels, objects of each frame) of an output."""
    with zipfile.ZipFile(path) as z:
        lines = [json.loads(line) for line in z.read("objects.jsonl").splitlines()]
        labels = [np.asarray(Image.open(z.open(f"{n:06d}.png"))) for n in range(len(lines))]
        assert sorted(z.namelist())[:len(lines)] == [f"{n:06d}.png" for n in range(len(lines))]
    return labels, lines


def wanted(video, model):
    """The same by rvos.segment alone."""
    labels, lines = [], []
    for _, masks in rvos.segment(str(video), model=model, objects=3):
        labels.append(masks.labels)
        lines.append([(o.id, o.track_id, list(o.box), o.area) for o in masks])
    return labels, lines


class Folders(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.videos, self.out = self.folder / "videos", self.folder / "out"
        self.videos.mkdir()

    def summary(self):
        return json.loads((self.out / "summary.json").read_text())

    def outputs(self):
        return sorted(str(p.relative_to(self.out)) for p in self.out.rglob("*")
                      if p.is_file() and p.parts[len(self.out.parts)] != ".rvos-archive")

    def same(self, names):
        """All outputs are complete, and equal those of one process without Dask."""
        self.assertEqual(self.outputs(), sorted(f"{n}.masks.zip" for n in names)
                         + ["summary.json"])
        self.assertEqual(list((self.out / ".rvos-archive").glob("parts-*")), [])
        seen = 0
        with rvos.Model(MODEL, size=SIZE) as model:
            for name in names:
                labels, lines = read(self.out / f"{name}.masks.zip")
                their_labels, their_lines = wanted(self.videos / name, model)
                np.testing.assert_array_equal(labels, their_labels)
                self.assertEqual([[(o["id"], o["track_id"], o["bbox"], o["area"])
                                   for o in line["objects"]] for line in lines], their_lines)
                seen += sum(map(len, their_lines))
        self.assertGreater(seen, 0)


class Local(Folders):
    def strike(self, hang, struck, stop):
        """Kill one worker and stop another in the middle of their videos."""
        for how, number in [("kill", signal.SIGKILL), ("stop", signal.SIGSTOP)]:
            path = hang / f"{how}.pid"
            while not path.exists():
                if stop.wait(0.05):
                    return
            os.kill(int(path.read_text()), number)
            struck.append(how)

    def test_killed_and_hung_workers(self):
        names = [f"clip-{n:02}.mp4" for n in range(24)]
        for seed, name in enumerate(names):
            make(self.videos / name, seed)
        hang = self.folder / "hang"
        hang.mkdir()
        for how in ("kill", "stop", "sleep", "gil"):
            (hang / how).touch()
        struck, stop = [], threading.Event()
        thread = threading.Thread(target=self.strike, args=(hang, struck, stop))
        thread.start()
        try:
            done = archive(*OPTIONS, "-v", "-o", self.out, "--workers", 4, "--stalled", 8,
                           "--retries", 4, self.videos,
                           env={"RVOS_TEST_HANG": str(hang),
                                "DASK_DISTRIBUTED__WORKER__PRELOAD": PRELOAD})
        finally:
            stop.set()
            thread.join()
        self.assertEqual(done.returncode, 0)
        self.assertEqual(struck, ["kill", "stop"])
        self.assertEqual({p.name for p in hang.iterdir()},
                         {"kill.pid", "stop.pid", "sleep.pid", "gil.pid"})
        self.same(names)
        summary = self.summary()
        self.assertEqual(summary["videos"], {"done": 24, "skipped": 0, "failed": 0, "open": 0})
        for number in (3, 9, 15, 21):
            self.assertGreater(summary["files"][number]["attempts"], 1)
        self.assertTrue(summary["workers"])
        for worker in summary["workers"].values():
            self.assertEqual(worker["model_loads"], 1)
        before = {p: (self.out / p).stat().st_mtime_ns for p in self.outputs()}
        again = archive(*OPTIONS, "-o", self.out, self.videos)
        self.assertEqual(again.returncode, 0)
        self.assertEqual(self.summary()["videos"]["skipped"], 24)
        after = {p: (self.out / p).stat().st_mtime_ns for p in self.outputs()}
        del before["summary.json"], after["summary.json"]
        self.assertEqual(before, after)


    def test_a_video_that_always_hangs_is_reported(self):
        make(self.videos / "always.mp4")
        make(self.videos / "good.mp4")
        done = archive(*OPTIONS, "-o", self.out, "--workers", 1, "--stalled", 4,
                       "--retries", 1, self.videos,
                       env={"RVOS_TEST_HANG": str(self.folder),
                            "DASK_DISTRIBUTED__WORKER__PRELOAD": PRELOAD})
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "(?m)^failed: .*/always.mp4: .* showed no life")
        self.same(["good.mp4"])
        self.assertGreaterEqual(self.summary()["files"][0]["attempts"], 2)


class Cluster(Folders):
    """With an existing scheduler and worker."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.address = os.path.join(folder.name, "scheduler.json")
        programs = [
            ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
             "--scheduler-file", cls.address],
            ["worker", "--nthreads", "2", "--no-dashboard", "--scheduler-file", cls.address,
             "--local-directory", folder.name]]
        for program in programs:
            p = subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_" + program[0],
                                  *program[1:]], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            cls.addClassCleanup(p.wait)
            cls.addClassCleanup(p.terminate)
            while not os.path.exists(cls.address) and p.poll() is None:
                time.sleep(0.1)
        with open(cls.address, encoding="utf-8") as f:
            cls.address = json.load(f)["address"]

    def archive(self, *arguments):
        return archive(*OPTIONS, "--scheduler", self.address, "-o", self.out, *arguments)

    def test_bad_videos_stop_no_other(self):
        good = ["a/clip.mp4", "b/clip.mkv", "clip.mp4"]
        for seed, name in enumerate(good):
            (self.videos / name).parent.mkdir(exist_ok=True)
            make(self.videos / name, seed)
        (self.videos / "junk.mp4").write_text("junk")
        (self.videos / "gone.mp4").symlink_to("nowhere")
        (self.videos / "notes.txt").write_text("no video")
        os.mkfifo(self.videos / "pipe.mp4")
        with av.open(str(self.videos / "sound.mp4"), "w") as out:
            sound = out.add_stream("aac", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.rate = 8000
            out.mux(sound.encode(frame))
            out.mux(sound.encode())
        done = self.archive(self.videos)
        self.assertEqual(done.returncode, 1)
        self.same(good)
        for name, words in [("junk", "Invalid data"), ("gone", "No such file"), ("pipe", "not a regular file"),
                            ("sound", "there is no video in it")]:
            self.assertRegex(done.stdout, f"(?m)^failed: .*/{name}.mp4: .*{words}")
        self.assertEqual(self.summary()["videos"],
                         {"done": 3, "skipped": 0, "failed": 4, "open": 0})
        # Two threads of one process share the model.
        self.assertEqual([w["model_loads"] for w in self.summary()["workers"].values()], [1])

        # A changed and a repaired video are done again; others are not.
        make(self.videos / "clip.mp4", 99)
        make(self.videos / "junk.mp4", 98)
        self.archive(self.videos)
        self.assertEqual(self.summary()["videos"],
                         {"done": 2, "skipped": 2, "failed": 3, "open": 0})
        self.same([*good, "junk.mp4"])
        # All are done again when the settings change.
        done = self.archive("--threshold", "0.6", self.videos / "clip.mp4")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.summary()["videos"]["done"], 1)

    def test_videos_in_pieces(self):
        make(self.videos / "long.mp4", frames=60)
        make(self.videos / "short.mp4", frames=8)
        listed = self.folder / "list"
        listed.write_text(f"# a comment\n{self.videos}/long.mp4\n \n {self.videos}/short.mp4 \n",
                          "utf-8-sig")
        done = self.archive("--cut", "0.9", "--list", listed)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(list((self.out / ".rvos-archive").glob("parts-*")), [])
        labels, lines = read(self.out / "long.mp4.masks.zip")
        self.assertEqual([line["frame"] for line in lines], list(range(60)))
        np.testing.assert_allclose([line["time"] for line in lines], np.arange(60) / 25)
        # Each piece equals the result of a video of its frames; cuts are at frames 24 and 48.
        frames = list(rvos._video.decoded(self.videos / "long.mp4"))
        tracks = set()
        with rvos.Model(MODEL, size=SIZE) as model:
            for start, end in [(0, 24), (24, 48), (48, 60)]:
                piece = rvos.segment(frames[start:end], model=model, objects=3)
                np.testing.assert_array_equal(labels[start:end], [m.labels for _, m in piece])
                ours = {o["track_id"] for line in lines[start:end] for o in line["objects"]}
                self.assertTrue(ours)
                self.assertFalse(ours & tracks)
                tracks |= ours
        self.assertEqual(len(read(self.out / "short.mp4.masks.zip")[1]), 8)
        self.assertEqual(self.summary()["frames"], 68)

    def test_a_run_that_is_ended_goes_on_later(self):
        names = [f"{n}.mp4" for n in range(12)]
        for name in names:
            make(self.videos / name, frames=15)
        run = subprocess.Popen([sys.executable, "-m", "rvos.archive", *OPTIONS, "-v", "-o",
                                self.out, "--scheduler", self.address, self.videos], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in run.stdout:
            if line.endswith(": done\n"):
                run.terminate()
                break
        rest = run.stdout.read()
        run.stdout.close()
        self.assertEqual(run.wait(), 130, rest)
        before = self.summary()["videos"]
        self.assertGreater(before["done"], 0)
        self.assertGreater(before["open"], 0)
        for path in self.out.rglob("*.zip"):
            read(path)  # each is whole
        self.assertEqual(self.archive(self.videos).returncode, 0)
        after = self.summary()["videos"]
        self.assertEqual((after["failed"], after["open"]), (0, 0))
        self.assertGreaterEqual(after["skipped"], before["done"])

    def test_coco(self):
        try:
            from pycocotools.coco import COCO
        except ImportError:
            self.skipTest("no pycocotools")
        make(self.videos / "a.mp4", frames=30)
        done = self.archive("--format", "coco", "--cut", "0.9", self.videos)
        self.assertEqual(done.returncode, 0)
        read_back = COCO(str(self.out / "a.mp4.coco.json"))
        self.assertEqual(sorted(read_back.imgs), list(range(1, 31)))
        frames = list(rvos._video.decoded(self.videos / "a.mp4"))
        with rvos.Model(MODEL, size=SIZE) as model:
            for _, masks in rvos.segment(frames[:24], model=model, objects=3):
                found = read_back.loadAnns(read_back.getAnnIds(imgIds=[masks.index + 1]))
                self.assertEqual([a["track_id"] for a in found], [o.track_id for o in masks])
                for one, thing in zip(found, masks):
                    np.testing.assert_array_equal(read_back.annToMask(one), masks.mask(thing))

    def test_a_task_may_run_twice(self):
        """Like after a worker that seemed to be lost."""
        make(self.videos / "a.mp4")
        settings = work.Settings(MODEL, work.sha256_of(MODEL), "png", objects=3, size=SIZE)
        parts, output = self.folder / "parts", str(self.out / "a.zip")
        parts.mkdir()
        job = work.Job(0, 0, str(self.videos / "a.mp4"), output, str(parts))
        results = []
        for _ in range(2):
            result = work.segment_job(job, settings, work.Conditions())
            self.assertNotIn("error", result)
            results.append(pathlib.Path(output).read_bytes())
        self.assertEqual(results[0], results[1])


class Refusals(Folders):
    def refused(self, words, *arguments, status=2, how=here):
        done = how(*arguments)
        self.assertEqual(done.returncode, status)
        self.assertRegex(done.stdout, words)
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_one_clear_message_each(self):
        make(self.videos / "a.mp4")
        (self.folder / "empty").mkdir()
        (self.folder / "file").touch()
        self.refused("empty: there is no video in this folder", "-o", self.out,
                     self.folder / "empty")
        self.refused("no video is named", "-o", self.out)
        self.refused(r"file/out: cannot write there: Not a directory",
                     "-o", self.folder / "file" / "out", self.videos)
        self.refused("nolist: .*No such file", "-o", self.out, "--list", self.folder / "nolist")
        for content, words in [(b"\xff\xfea\0", "text in UTF-16"), (b"a\n\xff", "byte 2"),
                               (b"a\rb\0c", "line 2 holds a NUL byte"), (None, "not a regular")]:
            listed = self.folder / words.replace(" ", "")
            os.mkfifo(listed) if content is None else listed.write_bytes(content)
            self.refused(f"{listed}: .*{words}", "-o", self.out, "--list", listed)
        self.refused("model .*/none: No such file", "-m", self.folder / "none", "-o", self.out,
                     self.videos)
        self.refused("objects", "-m", MODEL, "-n", 1000, "-o", self.out, self.videos)
        self.refused("threshold", "-m", MODEL, "--threshold", 2, "-o", self.out, self.videos)
        self.refused("test_archive.py", "-m", __file__, "-o", self.out, self.videos)
        self.assertEqual([p.name for p in self.out.iterdir()], [".rvos-archive"])
        other = self.folder / "other"
        other.mkdir()
        make(other / "a.mp4")
        self.refused(r"videos/a.mp4 and .*other/a.mp4 would both .* --root", "-o", self.out,
                     self.videos, other)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # nobody listens there
            address = f"tcp://127.0.0.1:{s.getsockname()[1]}"
            self.refused(f"no Dask scheduler answers at {address}", "--scheduler", address,
                         "-o", self.out, self.videos, how=archive)
        self.refused("no Dask scheduler answers at nonsense", "--scheduler", "nonsense",
                     "-o", self.out, self.videos, how=archive)
        for option, value, words in [("--retries", -1, "from 0"), ("--stalled", "inf", "from 0"),
                                     ("--cut", "nan", "from 0"), ("--threads", 1025, "at most"),
                                     ("-s", "448", "a size is such as 448x256, not 448")]:
            done = here("-o", self.out, option, value, self.videos)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stdout, f"{option}.* {words}")

    def test_the_summary_replaces_no_input(self):
        make(self.videos / "a.mp4")
        listed = self.folder / "list"
        listed.write_text(f"{self.videos / 'a.mp4'}\n")
        (self.folder / "link.json").hardlink_to(self.videos / "a.mp4")
        for path, words in [(self.videos / "a.mp4", "is read by"), (listed, "is read by"),
                            (self.folder / "link.json", "is read by"), (MODEL, "is read by"),
                            (self.out, "is a folder"),
                            (self.out / "a.mp4.masks.zip", "is the result of a video")]:
            self.refused(f"summary {path}: {words}", "-m", MODEL, "-o", self.out, "--list", listed,
                         "--summary", path)

    def test_odd_names_and_a_full_output(self):
        """The table has a line for each video; the summary is written first."""
        name = "b\udcff\n\x1b[31m\u202eü%d.mp4"
        (self.videos / name).write_text("junk")
        command = [sys.executable, "-m", "rvos.archive", *OPTIONS, "--workers", "1",
                   "--retries", "0", "-o", str(self.out), str(self.videos)]
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=200, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertEqual(done.stderr.splitlines()[-1],
                         "rvos-archive: standard output: No space left on device")
        self.assertIn("b\\xff\\x0a\\x1b[31m\\u202eü%d.mp4: failed", done.stderr)
        self.assertEqual(self.summary()["videos"]["failed"], 1)
        table = rvos.archive._table(self.summary())
        self.assertRegex(table, r"(?m)^failed: .*/b\\xff\\x0a\\x1b\[31m\\u202eü%d.mp4: Invalid")

    def test_two_runs_do_not_share_an_output(self):
        from rvos._archive_files import Folder

        make(self.videos / "a.mp4")
        left = self.out / ".rvos-archive" / "parts-dead"
        left.mkdir(parents=True)
        (left / "half").touch()
        folder = Folder(str(self.out))
        self.assertFalse(left.exists())  # of a run that was killed
        self.refused("another rvos-archive is writing there", "-o", self.out, self.videos,
                     how=archive)
        folder.close()

    def test_the_time_limit_ends_a_process(self):
        """It ends a process even if its frames go on. A task that is done in time does not
        end its process."""
        program = ("import sys, time\n"
                   "from rvos._archive_work import Conditions, Job, _Life\n"
                   "conditions = Conditions(stalled=float(sys.argv[1]), time_limit=0.8)\n"
                   "with _Life(Job(0, 0, '', '', ''), conditions) as life:\n"
                   "    life.step(1)\n"
                   "time.sleep(1.2)\n"
                   "print('alive', flush=True)\n"
                   "with _Life(Job(0, 0, '', '', ''), conditions) as life:\n"
                   "    for _ in range(600):\n"
                   "        life.step(1)\n"
                   "        time.sleep(0.1)\n")
        for stalled in (0, 100):
            done = subprocess.run([sys.executable, "-c", program, str(stalled)], text=True,
                                  capture_output=True, timeout=50, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, "alive\n"))

    def test_the_watchdog_ends_a_process(self):
        program = ("import time\n"
                   "from rvos._archive_work import Watchdog\n"
                   "dog = Watchdog()\n"
                   "for _ in range(4):\n"
                   "    dog.alive('a', 0.5)\n"
                   "    time.sleep(0.2)\n"
                   "dog.done('a')\n"
                   "time.sleep(0.7)\n"
                   "print('alive', flush=True)\n"
                   "dog.alive('b', 0.5)\n"
                   "time.sleep(60)\n")
        done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True,
                              timeout=50, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, "alive\n"))
        self.assertTrue(re.search("Timeout", done.stderr))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
