#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""RVOS in ONNX Runtime and OpenVINO, for compare.py: the published formulation, exported from
PyTorch with batch norm folded. The state is input and output of each frame.

    onnx_peer.py --export MODEL FILE.onnx [--objects N]         needs PyTorch
    onnx_peer.py --quantise ENGINE FILE.onnx OUT --frames F.npy    int8: NNCF, or ONNX Runtime's
                                                                static quantisation
    onnx_peer.py --serve ENGINE FILE --frames F.npy [--precision bf16] [--threads 2]
    onnx_peer.py --probs OUT.npy ENGINE FILE --frames F.npy ...  prints the kernels that ran

ENGINE is openvino or onnxruntime. int8+bf16 is an int8 file whose other parts run in bf16. --serve speaks the protocol of turns.py. --quantise runs the
clip in float32 and calibrates with the inputs of its frames, states included.
"""
import argparse
import collections
import itertools
import sys
import time

import numpy as np

from turns import ROOT, serve

MEAN, STD = (.485, .456, .406), (.229, .224, .225)
STATES = 4
INPUTS = ["image", *(f"h{k}" for k in range(STATES))]
OUTPUTS = ["prob", *(f"n{k}" for k in range(STATES))]
PRECISIONS = ("fp32", "bf16", "int8", "int8+bf16")
SAMPLES = 16  # frames for calibration


def export(a):
    import torch
    sys.path.insert(0, str(ROOT / "data"))
    from rvos_train import model
    import pytorch_peer

    net = model.load_bundle(a.file[0])
    for p in net.parameters():
        p.requires_grad_(False)
    pytorch_peer.fold(net)
    network = pytorch_peer.Network(net, "zero-shot", a.objects).eval()

    class Frame(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x, h0, h1, h2, h3):
            return self.network(x, None, h0, h1, h2, h3)[1:]

    example = (torch.zeros(1, 3, *net.settings["size"]), *network.states())
    with torch.no_grad():
        torch.onnx.export(Frame(), example, a.file[1], input_names=INPUTS, output_names=OUTPUTS,
                          opset_version=16)


# ---- engines --------------------------------------------------------------------------------
# bind(inputs, outputs) makes a function that runs a frame from these arrays to these arrays,
# without copies. Denormal numbers count as zero, as in rvosseg.

class OpenVino:
    def __init__(self, path, precision, threads, profile=False):
        import openvino as ov

        core = ov.Core()
        can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision.endswith("bf16") and "BF16" not in can:
            sys.exit("no bf16 on this processor")
        model = core.read_model(path)
        self.shapes = {p.any_name: tuple(p.shape) for p in [*model.inputs, *model.outputs]}
        self.compiled = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": "bf16" if precision.endswith("bf16") else "f32",
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "CPU_DENORMALS_OPTIMIZATION": True, "PERF_COUNT": profile})
        self.version = "OpenVINO " + ov.__version__.split("-")[0]
        self.tensor, self.request = ov.Tensor, None

    def bind(self, inputs, outputs):
        self.request = request = self.compiled.create_infer_request()
        for name, array in inputs.items():
            request.set_tensor(name, self.tensor(array, shared_memory=True))
        for name, array in outputs.items():
            request.set_tensor(name, self.tensor(array, shared_memory=True))
        return request.infer

    def kernels(self):
        """{kernel: share of the last frame's time}"""
        times = collections.Counter()
        for step in self.request.profiling_info:
            times[step.exec_type] += step.real_time.total_seconds()
        return {name: t / max(times.total(), 1e-9) for name, t in times.items()}


class OnnxRuntime:
    def __init__(self, path, precision, threads, profile=False):
        import onnxruntime as ort

        if precision.endswith("bf16"):
            sys.exit("no bf16 on the CPU in ONNX Runtime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # Else its threads go on spinning in the turn of the next engine.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.shapes = {i.name: tuple(i.shape) for i in [*self.session.get_inputs(),
                                                        *self.session.get_outputs()]}
        self.version = "ONNX Runtime " + ort.__version__

    def bind(self, inputs, outputs):
        binding = self.session.io_binding()
        for way, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
            for name, array in arrays.items():
                way(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return lambda: self.session.run_with_iobinding(binding)

    def kernels(self):
        return {}  # it does not tell


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}


class Video:
    """An engine with a state. Even frames read the states of one set and write the other."""

    def __init__(self, engine):
        zeros = lambda name: np.zeros(engine.shapes[name], np.float32)
        self.engine, self.image, self.prob = engine, zeros("image"), zeros("prob")
        self.sets = [[zeros(n) for n in INPUTS[1:]] for _ in range(2)]
        self.runs = [engine.bind({"image": self.image, **dict(zip(INPUTS[1:], self.sets[i]))},
                                 {"prob": self.prob, **dict(zip(OUTPUTS[1:], self.sets[1 - i]))})
                     for i in range(2)]
        values = np.arange(256, dtype=np.float32) / 255
        self.tables = [(values - np.float32(m)) / np.float32(s) for m, s in zip(MEAN, STD)]
        self.best = np.empty(self.prob.shape[2:], np.float32)
        self.reset()

    def reset(self):
        self.turn = 0
        for state in self.sets[0]:
            state.fill(0)

    def show(self, frame):
        for c, table in enumerate(self.tables):
            np.take(table, frame[..., c], out=self.image[0, c], mode="clip")

    def labels(self):
        labels = np.zeros(self.best.shape, np.uint8)
        self.best.fill(np.nextafter(np.float32(.5), np.float32(0)))
        for k, plane in enumerate(self.prob[0]):
            above = (plane > self.best).view(np.uint8)
            above *= np.uint8(k + 1)
            np.maximum(labels, above, out=labels)
            np.maximum(self.best, plane, out=self.best)
        return labels

    def frame(self, frame):
        """Its labels; self.prob has the probabilities until the next frame."""
        self.show(frame)
        self.runs[self.turn]()
        self.turn = 1 - self.turn
        return self.labels()

    def inputs(self, frame):
        """A copy of what the next frame's network reads."""
        self.show(frame)
        return {n: x.copy() for n, x in zip(INPUTS, [self.image, *self.sets[self.turn]])}


# ---- int8 ---------------------------------------------------------------------------------

def samples(a, float32):
    """Inputs of frames spread over the clip, with the states of the float32 network."""
    frames, video, out = np.load(a.frames), Video(float32), []
    for t, frame in enumerate(frames):
        if t * SAMPLES // len(frames) != (t - 1) * SAMPLES // len(frames):
            out.append(video.inputs(frame))
        video.frame(frame)
    return out


def quantise_openvino(a, data):
    import nncf
    import openvino as ov

    model = nncf.quantize(ov.Core().read_model(a.file[0]), nncf.Dataset(data),
                          subset_size=len(data))
    ov.save_model(model, a.file[1], compress_to_fp16=False)


def quantise_onnxruntime(a, data):
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.rest = iter(data)

        def get_next(self):
            return next(self.rest, None)

    q.quantize_static(a.file[0], a.file[1], Reader(), per_channel=True,
                      weight_type=q.QuantType.QInt8, activation_type=q.QuantType.QUInt8)


# ---- the program ---------------------------------------------------------------------------

def answer(video, frames):
    for _ in range(3):
        video.frame(frames[0])
    video.reset()
    turn = itertools.cycle(frames)

    def run():
        begin = time.perf_counter()
        video.frame(next(turn))
        return [1e3 * (time.perf_counter() - begin)]

    serve(video.engine.version, run, video.reset)


def probabilities(a, video):
    out = []
    for frame in np.load(a.frames):
        video.frame(frame)
        out.append(video.prob[0].copy())
    np.save(a.probs[0], np.stack(out))
    most = sorted(video.engine.kernels().items(), key=lambda item: -item[1])
    print(", ".join(f"{name} {share:.0%}" for name, share in most if share >= .05))


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file", nargs="+")
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--export", action="store_true")
    how.add_argument("--quantise", choices=ENGINES)
    how.add_argument("--serve", choices=ENGINES)
    how.add_argument("--probs", nargs=2, metavar=("OUT.npy", "ENGINE"))
    p.add_argument("--objects", type=int, default=5)
    p.add_argument("--frames", metavar="FILE.npy")
    p.add_argument("--precision", choices=PRECISIONS, default="fp32")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    if a.export:
        export(a)
        return
    engine = ENGINES[a.quantise or a.serve or a.probs[1]](a.file[0], a.precision, a.threads,
                                                         profile=bool(a.probs))
    if a.quantise == "openvino":
        quantise_openvino(a, samples(a, engine))
    elif a.quantise:
        quantise_onnxruntime(a, samples(a, engine))
    elif a.serve:
        answer(Video(engine), np.load(a.frames))
    else:
        probabilities(a, Video(engine))


if __name__ == "__main__":
    main()
