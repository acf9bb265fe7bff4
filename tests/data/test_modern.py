#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What needs PyTorch 2.1 or later, and no GPU: compiled cells, Triton's kernels under its
interpreter and compiled for an H100, and whole steps on a CUDA device that is not there.

docs/training.md tells how to run it where the system's PyTorch is older.
"""
import os
import subprocess
import sys
import unittest
from unittest import mock

# before Triton is imported: its kernels run on the CPU
os.environ["TRITON_INTERPRET"] = "1"
import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
import torch
import torch.utils.cpp_extension

if tuple(int(n) for n in torch.__version__.split(".")[:2]) < (2, 1):
    print(f"skipped: PyTorch {torch.__version__} is older than 2.1")
    sys.exit(77)

from rvos_train import cells, config
import fake_cuda
from rvos_train import model
import shapes
import test_cells

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
try:
    import triton
except ImportError:
    triton = None
needs_triton = unittest.skipUnless(triton, "no Triton")
# Fake CUDA tensors cannot be indexed in a build without CUDA, such as Debian's.
needs_cuda_build = unittest.skipUnless(torch.backends.cuda.is_built(),
                                       "this PyTorch is built without CUDA")
# What inductor compiles includes PyTorch's headers; Debian has them in libtorch-dev.
needs_headers = unittest.skipUnless(
    any(os.path.exists(os.path.join(path, "torch", "torch.h"))
        for path in torch.utils.cpp_extension.include_paths()), "no headers of PyTorch")

# Compiles both kernels for a GPU of compute capability 9.0, in all their forms.
BUILD = """
import itertools, sys
sys.path.insert(0, sys.argv[1])
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from rvos_train import cells_triton as ct
for kind in ("*bf16", "*fp32"):
    for a, b in itertools.product((False, True), repeat=2):
        small = {n: kind for n in ("shared", "ahead", "left", "h", "s")}
        for fn, types, flags in (
                (ct.forward_kernel, {**small, "c_left": "*fp32", "c": "*fp32"},
                 dict(AHEAD=a, LEFT=b)),
                (ct.backward_kernel,
                 {**{n: kind for n in ("dh", "dh_right", "s", "ds")},
                  **{n: "*fp32" for n in ("dc", "c", "c_left", "dc_left")}},
                 dict(RIGHT=a, LEFT=b))):
            constants = dict(C=16, BLOCK=ct.BLOCK, **flags)
            signature = {n: types.get(n, "constexpr" if n in constants else "i32")
                         for n in fn.arg_names}
            built = triton.compile(ASTSource(fn, signature, constants),
                                   target=GPUTarget("cuda", 90, 32))
            assert ".target sm_90" in built.asm["ptx"] and built.asm["cubin"]
print("built")
"""


class Kernels(unittest.TestCase):
    def compare(self, update, dtype, tolerance, widths=(4, 6, 16)):
        """Compare values and gradients of all inputs with plain PyTorch."""
        for alone, spatial in ((False, True), (True, True), (False, False)):
            for channels in widths:
                leaves = test_cells.case(dtype, channels, alone, spatial)
                have = cells.Level.apply(update, test_cells.N, *leaves)
                want = cells.Level.apply(cells.Plain, test_cells.N, *leaves)
                self.assertEqual(have.dtype, dtype)
                torch.testing.assert_close(have, want, **tolerance)
                for a, b in zip(test_cells.gradients(have, leaves),
                                test_cells.gradients(want, leaves)):
                    error = (a.double() - b.double()).norm() / b.double().norm()
                    self.assertLess(error.item(), tolerance["rtol"])

    @needs_triton
    def test_triton(self):
        from rvos_train import cells_triton
        self.compare(cells_triton.Fused, torch.float32, dict(atol=1e-6, rtol=1e-5))
        self.compare(cells_triton.Fused, torch.bfloat16, dict(atol=1e-2, rtol=1e-2))

    @needs_triton
    def test_triton_in_many_blocks(self):
        """More states than a block has, and not a multiple of that."""
        from rvos_train import cells_triton
        old, cells_triton.BLOCK = cells_triton.BLOCK, 64
        self.addCleanup(setattr, cells_triton, "BLOCK", old)
        self.compare(cells_triton.Fused, torch.float32, dict(atol=1e-6, rtol=1e-5))

    @needs_triton
    def test_triton_builds(self):
        env = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
        env["TRITON_CACHE_DIR"] = common.scratch("triton")
        done = subprocess.run([sys.executable, "-c", BUILD,
                               os.path.join(common.ROOT, "data")], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("built", done.stdout)

    @needs_headers
    def test_compiled(self):
        """inductor compiles the cells for the CPU."""
        update = cells.kernels("compile")
        self.compare(update, torch.float32, dict(atol=1e-6, rtol=1e-5), (4, 16))
        self.compare(update, torch.bfloat16, dict(atol=1e-2, rtol=1e-2), (16,))


class Steps(unittest.TestCase):
    def settings(self, **more):
        video, stills = shapes.folders()
        return dict(config.PRESETS["prototype"], video=[video], stills=[stills],
                    steps=100, batch=4, size="64x48", hidden=32, base_width=16, **more)

    @needs_cuda_build
    def test_nothing_is_waited_for(self):
        """In a step on CUDA all tensors are there, none is read back, and updates take few
        kernels."""
        for how in ("triton", "torch") if triton else ("torch",):
            found = fake_cuda.apart("cuda_step", self.settings(cells=how))
            self.assertEqual(found["losses"],
                             {k: ["cuda:0", "torch.float32"] for k in model.TASKS})
            self.assertTrue(found["bf16"])
            self.assertEqual((found["waits"], found["resized"]), ({}, ["torch.bfloat16"]))
            self.assertEqual(found["launches"].get("triton", 0) > 0, how == "triton")
            self.assertEqual(found["launches"]["_fused_adamw_"], 2)
        self.assertEqual(fake_cuda.apart("cuda_step", self.settings(), False, "cuda"), {
            **found, "launches": mock.ANY})
        self.assertIn("scalar", str(fake_cuda.apart(
            "cuda_step", self.settings(cells="torch"), True)["waits"]))

    @needs_triton
    def test_own_backwards(self):
        found = fake_cuda.apart("own_backwards")
        bf16 = ["cuda:0", "torch.bfloat16"]
        self.assertEqual(found["grads"], [[[5, 2, 64, 8, 6], *bf16],
                                          [[2, 64, 8, 6], *bf16],
                                          [[64, 16, 3, 3], *bf16],
                                          [[10, 16, 8, 6], *bf16]])
        self.assertEqual(found["launches"]["triton"], 10)

    @needs_triton
    def test_launches(self):
        """Kernels of a step with the prototype's clips, slots and encoder.  Sizes are
        small: their number does not depend on them."""
        total = {}
        for how in ("torch", "triton"):
            found = fake_cuda.apart("count_step", self.settings(cells=how))
            parts = found["parts"]
            if how == "triton":
                self.assertEqual(found["layouts"], {})
            total[how] = {k: sum(v.values()) for k, v in parts.items()}
            print(f"kernels a step, cells {how}: "
                  + ", ".join(f"{k} {v}" for k, v in total[how].items()))
        # Cell by cell, with autograd, it took 3487 and 4546 launches.
        self.assertLess(total["triton"]["forward"], 0.35 * 3487)
        self.assertLess(total["triton"]["backward"], 0.35 * 4546)
        self.assertLess(total["triton"]["data"], 500)


if __name__ == "__main__":
    common.main()
