# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a training step on a fake CUDA device and counts its kernels.

PyTorch's fake tensors have shapes, types, strides and devices, but no values. Mixing
devices raises. So do operations for which the host must wait: item(), nonzero(),
bincount(). Copies between host and device do not raise; those that wait are counted. The
autograd engine needs a real device. So the whole step runs on fake CPU tensors, and the
forward pass and the optimiser also on fake CUDA tensors.
"""
import collections
import contextlib
import json
import os
import subprocess
import sys
from unittest import mock

os.environ["TRITON_INTERPRET"] = "1"  # Triton must not look for a GPU
import common  # noqa: F401, for the path

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from rvos_train import cells, config, losses, recurrent, trainer

try:
    from rvos_train import cells_triton
except ImportError:
    cells_triton = None


def triton_launches(launches):
    """Patches that count Triton's kernels; none without Triton."""
    return [("cells_triton.launch", launches.triton)] if cells_triton else []


FREE = ("empty", "new_empty", "detach", "lift_fresh", "alias")


class Launches(TorchDispatchMode):
    """Count operations that launch a kernel: all but views and allocations."""

    def __init__(self):
        super().__init__()
        self.count = collections.Counter()
        self.layouts = collections.Counter()  # convolutions of tensors that are not NHWC
        self.waits = collections.Counter()  # copies that the host waits for
        self.resized = None  # types that recurrent.resize() works in

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        out = func(*args, **(kwargs or {}))
        if not (func.is_view or name.startswith(FREE) or func.namespace == "prim"
                or isinstance(out, (int, float, torch.dtype))):
            self.count[name] += 1
        if name.startswith("convolution") and not all(
                v.is_contiguous(memory_format=torch.channels_last)
                for v in args[:3] if isinstance(v, torch.Tensor) and v.dim() == 4):
            self.layouts[str([(tuple(v.shape), v.stride()) for v in args[:3]
                              if isinstance(v, torch.Tensor)])] += 1
        self.note_copy(name, args, kwargs or {}, out)
        if name.startswith("upsample") and self.resized is not None:
            self.resized.add(str(out.dtype))
        return out

    def note_copy(self, name, args, kwargs, out):
        if name in ("_to_copy", "copy_"):
            source = args[0] if name == "_to_copy" else args[1]
            free = kwargs.get("non_blocking") or len(args) > 2 and args[2]
            if source.device != out.device and not (free and out.is_cuda):
                self.waits[f"{source.device} to {out.device}, {list(out.shape)}"] += 1

    def resize(self, old):
        """Wrap recurrent.resize() and record its types."""
        def watched(*args):
            self.resized, found = set(), self.kinds
            try:
                return old(*args)
            finally:
                found |= self.resized
                self.resized = None
        self.kinds = set()
        return watched

    def triton(self, kernel, count, *args, **options):
        self.count["triton"] += 1
        devices = {a.device for a in args}
        assert len(devices) == 1, devices


def move(module, device, memory_format):
    """Like Module.to(), which does not work with fake parameters."""
    for m in module.modules():
        for own in (m._parameters, m._buffers):
            for k, v in own.items():
                if v is None:
                    continue
                new = torch.empty(v.shape, dtype=v.dtype, device=device,
                                  memory_format=memory_format if v.dim() == 4 else
                                  torch.contiguous_format)
                own[k] = torch.nn.Parameter(new) if own is m._parameters else new
    return module


def set_device(device):
    """Check the device as the real function does."""
    if not isinstance(device, int) and torch.device(device).index is None:
        raise ValueError(f"Expected a device with an index, but got: {device}")


@contextlib.contextmanager
def fake(values, device, patches=()):
    """(Trainer, plan of step 0) on a device; plans and tables are real."""
    c = config.merge(dict(values, device=device, precision="bf16"))
    data = trainer.Data(c, config.check(c), "cpu")
    plan = data.plan(0, c.length)
    with contextlib.ExitStack() as stack:
        mode = stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        for name, value in (("torch.cuda.is_available", lambda: True),
                            ("torch.cuda.is_bf16_supported", lambda *a, **k: True),
                            ("torch.cuda.is_current_stream_capturing", lambda: False),
                            ("torch.cuda.set_device", set_device),
                            ("torch._subclasses.fake_tensor.init_gpu_context",
                             lambda device: None),
                            ("torch.nn.Module.to", move),
                            ("clips.generator", lambda *a: None),
                            ("trainer.Data", lambda *a: data), *patches):
            stack.enter_context(mock.patch(name, value))
        for s in {data.store, data.synthetic.store, data.synthetic.bg}:
            s.device = torch.device(device)
            for name in ("images", "masks"):
                setattr(s, name, torch.empty(getattr(s, name).shape, dtype=torch.uint8,
                                             device=device))
            s.exhaustive = mode.from_tensor(s.exhaustive)
        data.synthetic.chance = torch.empty(data.synthetic.chance.shape, device=device)
        data.device = device
        yield (trainer.Trainer(c, lambda s: None),
               tree_map_only(torch.Tensor, mode.from_tensor, plan))


def count_step(values):
    """Run a whole step: {part: {operation: launches}}, and the convolutions that are not
    NHWC."""
    launches = Launches()
    patches = triton_launches(launches)
    with fake(values, "cpu", patches) as (t, plan), launches:
        parts, last = {}, collections.Counter()

        def mark(name):
            nonlocal last
            parts[name] = launches.count - last
            last = launches.count.copy()

        make = t.prepare

        def prepare(*args):
            out = make(*args)
            mark("data")
            return out

        t.prepare = prepare
        t.net.train()
        found = t.losses(0, plan)
        mark("forward")
        sum(found.values()).backward()
        mark("backward")
    return dict(parts=parts, layouts=launches.layouts)


def cuda_step(values, bad=False, device="cuda:0"):
    """Run all but the autograd engine on CUDA: data, forward, losses, optimiser, average.
    bad: a loss is read back."""
    launches = Launches()
    patches = [*triton_launches(launches),
               ("recurrent.resize", launches.resize(recurrent.resize))]
    if bad:
        old = losses.empty_loss
        patches.append(("losses.empty_loss", lambda z: old(z) * old(z).sum().item()))
    with fake(values, device, patches) as (t, plan), launches:
        t.net.train()
        found = t.losses(0, plan)
        for p in t.net.parameters():
            p.grad = torch.empty_like(p)
        t.update(0)
        return dict(losses={k: [str(v.device), str(v.dtype)] for k, v in found.items()},
                    bf16=t.bf16, launches=launches.count, waits=launches.waits,
                    resized=sorted(launches.kinds))


def own_backwards():
    """Run our own backward functions, with the devices and types of a step."""
    launches, ctx = Launches(), mock.Mock()
    ctx.save_for_backward = lambda *v: setattr(ctx, "saved_tensors", v)
    with FakeTensorMode(), mock.patch("cells_triton.launch", launches.triton):
        make = lambda *s: torch.empty(s, device="cuda:0", dtype=torch.bfloat16)
        y = recurrent.Upsample.forward(ctx, make(10, 16, 8, 6), (16, 12))
        up = recurrent.Upsample.backward(ctx, make(*y.shape))[:1]
        h = cells.Level.forward(ctx, cells_triton.Fused, 5, make(5, 2, 64, 8, 6),
                                make(2, 64, 8, 6), make(64, 16, 3, 3))
        grads = cells.Level.backward(ctx, make(*h.shape))[2:]
        return dict(grads=[[list(g.shape), str(g.device), str(g.dtype)] for g in (*grads, *up)],
                    launches=launches.count)


def apart(name, *args):
    """Call a function above in a process of its own, which exits without cleaning up:
    PyTorch crashes when fake CUDA tensors are freed late."""
    done = subprocess.run([sys.executable, __file__, name, json.dumps(args)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{name}: status {done.returncode}\n{done.stderr[-3000:]}")
    return json.loads(lines[-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))), flush=True)
    except DataDependentOutputException as e:
        print(json.dumps(dict(waits=str(e))), flush=True)
    os._exit(0)
