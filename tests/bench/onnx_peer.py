#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""RVOS in ONNX Runtime and OpenVINO, for compare.py: the published formulation, exported from
PyTorch with batch norm folded. The state is input and output of each frame.

    onnx_peer.py --export MODEL FILE.onnx [--objects N]         needs PyTorch
    onnx_peer.py --quantise ENGINE FILE.onnx OUT --frames F.npy    int8: NNCF, or ONNX Runtime's
                                                                static quantisation
    onnx_peer.py --serve ENGINE FILE --frames F.npy [--precision bf16] [--threads 2]
    onnx_peer.py --probs OUT.npy ENGINE FILE --frames F.npy ...

ENGINE is openvino or onnxruntime. --serve speaks the protocol of turns.py. --quantise runs the
clip in float32 and calibrates with the inputs of its frames, states included.
"""
import argparse
import itertools
import sys
import time

import numpy as np

from turns import ROOT, serve

MEAN, STD = (np.float32([[[[a]], [[b]], [[c]]]])
             for a, b, c in ((.485, .456, .406), (.229, .224, .225)))
STATES = 4
INPUTS = ["image", *(f"h{k}" for k in range(STATES))]
OUTPUTS = ["logits", "prob", *(f"n{k}" for k in range(STATES))]
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
            return self.network(x, None, h0, h1, h2, h3)

    example = (torch.zeros(1, 3, *net.settings["size"]), *network.states())
    with torch.no_grad():
        torch.onnx.export(Frame(), example, a.file[1], input_names=INPUTS, output_names=OUTPUTS,
                          opset_version=16)


# ---- engines: a dictionary of arrays in, a list of arrays out ---------------------------------

class OpenVino:
    def __init__(self, path, precision, threads):
        import openvino as ov

        core = ov.Core()
        can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in can:
            sys.exit("no bf16 on this processor")
        model = core.read_model(path)
        self.shapes = {p.any_name: tuple(p.shape) for p in model.inputs}
        self.compiled = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1})
        self.request = self.compiled.create_infer_request()
        self.version = "OpenVINO " + ov.__version__.split("-")[0]

    def run(self, inputs):
        self.request.infer(inputs)
        return [self.request.get_output_tensor(i).data.copy() for i in range(len(OUTPUTS))]


class OnnxRuntime:
    def __init__(self, path, precision, threads):
        import onnxruntime as ort

        if precision == "bf16":
            sys.exit("no bf16 on the CPU in ONNX Runtime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.shapes = {i.name: tuple(i.shape) for i in self.session.get_inputs()}
        self.version = "ONNX Runtime " + ort.__version__

    def run(self, inputs):
        return self.session.run(OUTPUTS, inputs)


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}


class Video:
    """An engine with a state."""

    def __init__(self, engine):
        self.engine = engine
        self.reset()

    def reset(self):
        self.states = [np.zeros(self.engine.shapes[n], np.float32) for n in INPUTS[1:]]

    def inputs(self, frame):
        x = frame.transpose(2, 0, 1)[None].astype(np.float32) / 255
        return dict(zip(INPUTS, [np.ascontiguousarray((x - MEAN) / STD), *self.states]))

    def frame(self, frame):
        _, prob, *self.states = self.engine.run(self.inputs(frame))
        best = prob[0].argmax(0)
        labels = np.where(prob[0].max(0) >= .5, best + 1, 0).astype(np.uint8)
        return prob, labels


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
    p.add_argument("--precision", choices=("fp32", "bf16", "int8"), default="fp32")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    if a.export:
        export(a)
        return
    engine = ENGINES[a.quantise or a.serve or a.probs[1]](a.file[0], a.precision, a.threads)
    if a.quantise == "openvino":
        quantise_openvino(a, samples(a, engine))
    elif a.quantise:
        quantise_onnxruntime(a, samples(a, engine))
    elif a.serve:
        answer(Video(engine), np.load(a.frames))
    else:
        video = Video(engine)
        np.save(a.probs[0], np.concatenate([video.frame(f)[0] for f in np.load(a.frames)]))


if __name__ == "__main__":
    main()
