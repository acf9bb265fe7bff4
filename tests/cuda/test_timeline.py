#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_timeline.py [CUDA_TRACE] - tests the timeline of a synthetic trace with known figures; with
CUDA_TRACE also of the tracing library's output with a fake CUPTI."""
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import timeline  # noqa: E402

TRACE = """# copies: CUPTI_ERROR
kernel 100 200 7 5 _Z6warmupv
kernel 1000 2000 7 5 _Z6shrinkPK11rv_cuda_jobi7rv_view
kernel 2500 4500 8 6 void cudnn::ops::conv<int>(float)
kernel 3000 3500 7 7 conv_tile
copy 3100 3200 7 8 64 bytes, kind 1
kernel 11000 12000 7 5 shrink
kernel 12000 13000 7 6 conv_tile
kernel 12200 12400 7 6 mask <half>
kernel 130"""


def run(*args):
    got = subprocess.run([sys.executable, HERE / "timeline.py", *args], text=True, capture_output=True)
    assert not got.stderr, got.stderr
    return got.returncode, got.stdout


with tempfile.TemporaryDirectory() as tmp:
    folder = pathlib.Path(tmp)
    (folder / "trace").write_text(TRACE)
    code, said = run(folder / "trace", "--svg", folder / "out.svg")
    assert code == 0 and said.startswith("# copies: CUPTI_ERROR\n"), said
    assert "frame 0: 3 kernels, 3.5 us, of which nothing ran in 0.5 us; kernels together 3.5 us; 2 streams" in said, said
    assert "frame 1: 3 kernels, 2.0 us, of which nothing ran in 0.0 us; kernels together 2.2 us; 1 streams" in said, said
    assert "     1.00      2.00     1.00   0.00       7 conv_tile\n" in said, said
    assert "warmup" not in said
    picture = xml.dom.minidom.parse(str(folder / "out.svg"))
    boxes = [r for r in picture.getElementsByTagName("rect") if r.getElementsByTagName("title")]
    assert len(boxes) == 6 and len({r.getAttribute("y") for r in boxes}) == 3, len(boxes)
    titles = [r.getElementsByTagName("title")[0].firstChild.data for r in boxes]
    assert "conv, stream 8, 2.00 us" in titles and "mask , stream 7, 0.20 us" in titles, titles
    (folder / "none").write_text("kernel 1 2 3 4 other\n")
    code, said = run(folder / "none")
    assert code == 1 and "1 kernels, none is shrink" in said, said
    assert [timeline.short(n) for n in ("_ZN12_GLOBAL__N_14cellEv", "_ZL9cell_tilePKv", "a::b<c>(d)")] == [
        "cell", "cell_tile", "b"]
    if len(sys.argv) > 1:
        subprocess.run([sys.argv[1], folder / "real"], check=True, stdout=subprocess.DEVNULL)
        code, said = run(folder / "real", "--frames", "2")
        assert code == 0 and "# copies: CUPTI_ERROR_INSUFFICIENT_PRIVILEGES" in said, said
        assert "frame 0: 3 kernels, 35.0 us, of which nothing ran in 12.0 us" in said, said
        assert "copy 990000 991000 7 0 512 bytes, kind 1\n" in (folder / "real").read_text()
print("ok")
