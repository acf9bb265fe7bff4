# SPDX-License-Identifier: LGPL-2.1-or-later
"""The engines that compare.py compares rvosseg with, as rows for it: PyTorch, and OpenVINO and
ONNX Runtime from PyPI.

The latter live in a folder with a virtual environment of peers.txt and with the networks that were
exported and quantised for them. Both are kept for later runs."""
import hashlib
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
PINS = HERE / "peers.txt"
PROGRAM = HERE / "onnx_peer.py"
PRECISIONS = {"openvino": ("fp32", "bf16", "int8", "int8+bf16"), "onnxruntime": ("fp32", "int8")}
SUFFIX = {"openvino": ".xml", "onnxruntime": ".onnx"}  # of an int8 file


class Row:
    """An engine: the commands that serve frames and that write its probabilities. kernels says
    what computes, if it is known; instead, what stands in for the precision."""

    def __init__(self, name, precision, serve, probabilities):
        self.name, self.precision = name, precision
        self.serve, self.probabilities = serve, probabilities
        self.error = self.iou = None
        self.kernels = self.instead = ""

    @property
    def key(self):
        return f"{self.name} {self.precision}"


def call(*command, **more):
    return subprocess.run([str(c) for c in command], text=True, **more)


def pytorch(kind, threads, model, task, objects, folder):
    command = [sys.executable, HERE / "pytorch_peer.py", model, "--task", task, "--objects",
               objects, "--threads", threads, "--frames", folder / "frames.npy", "--init-mask",
               folder / "init.npy", *(["--eager"] if kind == "eager" else [])]
    return Row(f"pytorch-{kind}", "fp32", [*command, "--serve"],
               lambda out: [*command, "--probs", out])


class Environment:
    """A folder with the virtual environment and the prepared networks."""

    def __init__(self, folder):
        self.folder = folder.resolve()
        self.python = self.folder / "bin" / "python"
        done = self.folder / "installed.txt"
        if not done.exists() or done.read_text() != PINS.read_text():
            print(f"installing {PINS.name} in {folder}", file=sys.stderr)
            venv.create(self.folder, with_pip=True)
            call(self.python, "-m", "pip", "install", "-q", "-r", PINS, check=True)
            done.write_text(PINS.read_text())

    def _made(self, name, *command, inputs, objects=0):
        """The file `name`, which the command makes unless it was made from the same inputs and
        objects before. None in the command stands for the file. Returns None on failure."""
        digest = hashlib.sha256(f"{name} {objects}".encode())
        for path in (PROGRAM, PINS, *inputs):
            digest.update(pathlib.Path(path).read_bytes())
        folder = self.folder / "networks" / digest.hexdigest()[:16]
        path = folder / name
        if (folder / f"{name}.done").exists():
            return path
        folder.mkdir(parents=True, exist_ok=True)
        done = call(*(path if c is None else c for c in command), stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE)
        if done.returncode:
            print(f"{name} was not made: {done.stderr.strip().splitlines()[-1:]}",
                  file=sys.stderr)
            return None
        (folder / f"{name}.done").touch()
        return path

    def rows(self, threads, model, objects, folder):
        frames = folder / "frames.npy"
        common = ["--frames", frames, "--threads", threads]
        network = self._made("network.onnx", sys.executable, PROGRAM, "--export", model, None,
                             "--objects", objects, inputs=[model], objects=objects)
        for engine, precisions in PRECISIONS.items() if network else ():
            small = self._made("int8" + SUFFIX[engine], self.python, PROGRAM, "--quantise", engine,
                               network, None, *common, inputs=[network, frames])
            for precision in precisions:
                path = small if precision.startswith("int8") else network
                if path:
                    yield self._row(engine, path, precision, common)

    def _row(self, engine, path, precision, common):
        common = [*common, "--precision", precision]
        return Row(engine, precision, [self.python, PROGRAM, path, "--serve", engine, *common],
                   lambda out: [self.python, PROGRAM, path, "--probs", out, engine, *common])
