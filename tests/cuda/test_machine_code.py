#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_machine_code.py NVCC OBJECTS SOURCE_ROOT - checks the machine code for sm_90 of the most
expensive kernels: no local memory and no stack, no more registers than the block size allows, and
tensor cores where the source asks for them.

It reads the built objects with cuobjdump (in PATH, beside nvcc, or pip's nvidia-cuda-cuobjdump),
else the output of ptxas for the same sources. Registers are a compiler's choice: with another nvcc
than the one below, more registers are reported but are not a failure."""
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

NVCC = "13.0"
# Kernel: (most registers, or None for no bound; whether it uses tensor cores).
KERNELS = {
    "conv_tile": {"conv_128x64": (123, True), "conv_64x64": (63, True), "conv_64x32": (48, True),
                  "conv_32x64": (40, True)},
    "cell_tile": {"cell_tile": (69, True)},
    "cell": {"cell_input": (None, False), "cell_update": (None, False)},
    "conv_plain": {"conv": (None, False)},
}


def plain(name):
    """_Z10conv_64x6412rv_tile_convPKv: conv_64x64."""
    m = re.match(r"_ZL?(\d+)", name)
    return name[m.end():m.end() + int(m[1])] if m else name


def from_cuobjdump(usage, sass):
    """{kernel: (registers, bytes of stack and local memory, instructions of tensor cores)}"""
    out = {}
    for name, registers, stack, local in re.findall(
            r"Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", usage):
        out[plain(name)] = [int(registers), int(stack) + int(local), 0]
    for text in re.split(r"^\s*Function : ", sass, flags=re.M)[1:]:
        name = plain(text.split()[0])
        if name in out:
            out[name][2] = len(re.findall(r"\bHMMA\.", text))
    return out


def from_ptxas(said, ptx):
    out = {}
    for name, text in re.findall(r"Compiling entry function '(\S+)' for(.*?Used \d+ registers)", said, re.S):
        numbers = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", text)
        out[plain(name)] = [int(re.search(r"Used (\d+) reg", text)[1]), sum(map(int, numbers.groups())), 0]
    for text in re.split(r"\.entry ", ptx)[1:]:
        name = plain(re.match(r"\w+", text)[0])
        if name in out:
            out[name][2] = text.count("wmma.mma")
    return out


def faults(wanted, got, strict):
    out = []
    for kernel, (most, tensor) in wanted.items():
        if kernel not in got:
            out.append(f"{kernel} is not there")
            continue
        registers, local, tensors = got[kernel]
        if local:
            out.append(f"{kernel} has {local} bytes of stack or local memory")
        if tensor and not tensors:
            out.append(f"{kernel} does not use tensor cores")
        if most and registers > most:
            if strict:
                out.append(f"{kernel} has {registers} registers, more than {most}")
            else:
                print(f"{kernel}: {registers} registers, more than {most} with nvcc {NVCC}")
    return out


def check_itself():
    wanted = {"conv_64x64": (63, True)}
    usage = " Function _Z10conv_64x6412rv_tile_convPKv:\n  REG:{} STACK:{} SHARED:43040 LOCAL:{} CONSTANT[0]:640"
    sass = "\n\tFunction : _Z10conv_64x6412rv_tile_convPKv\n /*0000*/ {}.16816.F32 R4, R8 ;"
    for registers, stack, local, name, most in ((63, 0, 0, "HMMA", 0), (64, 0, 0, "HMMA", 1), (63, 8, 0, "HMMA", 1),
                                                (63, 0, 16, "HMMA", 1), (63, 0, 0, "FFMA", 1), (64, 8, 0, "FFMA", 3)):
        got = from_cuobjdump(usage.format(registers, stack, local), sass.format(name))
        assert len(faults(wanted, got, True)) == most, got
    said = ("ptxas info : Compiling entry function '_Z10conv_64x6412rv_tile_convPKv' for 'sm_90'\n"
            "    {} bytes stack frame, 0 bytes spill stores, {} bytes spill loads\nptxas info    : Used 63 registers")
    ptx = ".visible .entry _Z10conv_64x6412rv_tile_convPKv(\n wmma.mma.sync.aligned"
    for stack, spill, most in ((0, 0, 0), (8, 0, 1), (0, 4, 1)):
        assert len(faults(wanted, from_ptxas(said.format(stack, spill), ptx), True)) == most
    assert len(faults(wanted, from_ptxas(said.format(0, 0), ""), True)) == 1
    assert faults(wanted, {}, True) == ["conv_64x64 is not there"]


def find(name, nvcc):
    places = [os.path.dirname(nvcc), *glob.glob(os.path.join(sysconfig.get_path("purelib"), "nvidia", "*", "bin"))]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


def run(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def of_objects(folder, name, cuobjdump, nvdisasm):
    path = os.path.join(folder, name + ".o")
    env = {**os.environ, "PATH": os.environ["PATH"] + os.pathsep + os.path.dirname(nvdisasm)}
    usage, sass = (run(cuobjdump, "-arch", "sm_90", how, path, env=env).stdout for how in ("-res-usage", "-sass"))
    return from_cuobjdump(usage, sass)


def of_sources(root, name, nvcc):
    source = os.path.join(root, "engine", "src", "cuda", "kernels", name + ".cu")
    args = [nvcc, "-O3", "-std=c++17", "-arch=sm_90", "-I" + os.path.join(root, "engine", "include"), source]
    with tempfile.TemporaryDirectory() as tmp:
        said = run(*args, "-cubin", "-Xptxas", "-v", "--keep", "--keep-dir", tmp,
                   "-o", os.path.join(tmp, "cubin"), check=True).stdout
        with open(os.path.join(tmp, name + ".ptx")) as f:
            return from_ptxas(said, f.read())


def main():
    nvcc, objects, root = sys.argv[1:4]
    check_itself()
    if not os.path.exists(nvcc):
        print("skipped: no nvcc")
        return 77
    version = re.search(r"release (\d+\.\d+)", run(nvcc, "--version").stdout)[1]
    cuobjdump, nvdisasm = find("cuobjdump", nvcc), find("nvdisasm", nvcc)
    built = cuobjdump and nvdisasm and "sm_90" in run(cuobjdump, "-lelf", os.path.join(objects, "conv_tile.o")).stdout
    print(f"nvcc {version}, by {cuobjdump if built else 'ptxas'}")
    bad = []
    for name, wanted in KERNELS.items():
        got = of_objects(objects, name, cuobjdump, nvdisasm) if built else of_sources(root, name, nvcc)
        for kernel in wanted:
            print(f"{kernel}: registers, local memory, tensor core instructions: {got.get(kernel)}")
        bad += faults(wanted, got, version == NVCC)
    print("\n".join(bad) or "all as planned")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
