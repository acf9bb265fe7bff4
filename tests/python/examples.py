# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python of engine/python/README.md, and its examples, run as they stand there.

examples.py ROOT: only the clip is a short piece of itself.
"""
import fractions
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
FRAMES = 6


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def shorten(clip):
    """The first frames of the shipped clip."""
    import av

    with av.open(str(ROOT / "data" / "clips" / "cup.mp4")) as source, \
            av.open(str(clip), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        for index, frame in enumerate(source.decode(video=0)):
            if index == FRAMES:
                break
            if index == 0:
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = "yuv420p"
            frame.pts, frame.time_base = index, fractions.Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def main():
    try:
        import av  # noqa: F401
    except ImportError:
        skip("no PyAV")
    try:
        import pycocotools  # noqa: F401
        coco = True
    except ImportError:
        coco = False
    text = (ROOT / "engine" / "python" / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    ran = 0
    with tempfile.TemporaryDirectory() as folder:
        clip = pathlib.Path(folder) / "data" / "clips" / "cup.mp4"
        clip.parent.mkdir(parents=True)
        shorten(clip)
        for block in blocks:
            if "coco" in block and not coco:
                print("left out, no pycocotools:", block.split("\n", 1)[0])
                continue
            subprocess.run([sys.executable, "-c", "import rvos\n" + block], cwd=folder,
                           check=True)
            ran += 1
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            print("left out, no matplotlib: notebook.py")
        else:
            out = pathlib.Path(folder) / "out.jpg"
            subprocess.run([sys.executable, ROOT / "engine" / "python" / "examples" / "notebook.py",
                            clip, out], check=True)
            ran += out.stat().st_size > 5000
    if ran < 3:
        sys.exit(f"only {ran} examples ran")


main()
