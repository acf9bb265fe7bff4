#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""archive_recipes.py BUILD_DIR: tests the commands and recipes of docs/archive.md and the
manifests of docs/cameras.md.

Commands run unchanged, with a scheduler and a worker of this machine. The program for Slurm
runs with dask-jobqueue and an `sbatch` that starts jobs here. kubernetes-validate checks the
manifests, and the schema of dask-kubernetes those of Dask's own kinds. These packages come
from PyPI; without a network the test is skipped.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SBATCH = """#!/bin/sh
cp "$1" "$FAKE/job-$$.sh"
sh -c 'echo $$ >"$FAKE/job-'$$'.pid"; exec bash "$FAKE/job-'$$'.sh"' >"$FAKE/job-$$.log" 2>&1 &
echo "Submitted batch job $$"
"""
SCANCEL = """#!/bin/sh
kill "$(cat "$FAKE/job-$1.pid")" 2>/dev/null
"""


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def packages(folder):
    """Return a Python that has these packages beside Debian's. The folder schema gets the
    package that is only read."""
    venv = folder / "venv"
    python = str(venv / "bin" / "python")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", venv], check=True)
    for how in (
            ["kubernetes-validate==1.37.0"], ["--no-deps", "dask-jobqueue==0.8.2"],
            ["--no-deps", "--target", str(folder / "schema"), "dask-kubernetes==2026.3.0"]):
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--retries", "1",
                               "--disable-pip-version-check", *how], check=False)
        if done.returncode:
            skip("pip cannot install " + " ".join(how))
    return python


def blocks(language, page="archive.md"):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def program(folder, name, text):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def closed(schema):
    """Make a schema refuse unknown names."""
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)


def with_gpu(yaml):
    """Apply the patch for GPUs to the set of docs/cameras.md."""
    line = next(text for text in blocks("sh", "cameras.md") if "kubectl patch" in text)
    patch = json.loads(re.search(r"-p '(.*)'", line, re.S).group(1))
    manifest, = (m for text in blocks("yaml", "cameras.md") for m in yaml.safe_load_all(text)
                 if m["kind"] == "StatefulSet")
    for change in patch:
        *way, last = (part.replace("~1", "/") for part in change["path"].split("/")[1:])
        at = manifest
        for part in way:
            at = at[int(part) if isinstance(at, list) else part]
        if last == "-":
            at.append(change["value"])
        else:
            assert change["op"] == "add" or last in at, change
            at[last] = change["value"]
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1", container
    return manifest


def check_manifests(folder):
    """Run in the Python of packages(). `folder` has dask-kubernetes."""
    import jsonschema
    import kubernetes_validate
    import yaml
    crds = folder.joinpath("dask_kubernetes", "operator", "deployment", "helm",
                           "dask-kubernetes-operator", "crds")
    crd = yaml.safe_load((crds / "daskcluster.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    closed(schema)
    schema["properties"] |= {"apiVersion": {"const": "kubernetes.dask.org/v1"},
                             "kind": {"const": "DaskCluster"},
                             "metadata": {"type": "object", "required": ["name"]}}

    def check(manifest):
        if manifest["kind"] == "DaskCluster":
            jsonschema.Draft7Validator(schema).validate(manifest)
        else:
            kubernetes_validate.validate(manifest, "1.30", strict=True)

    check(with_gpu(yaml))
    kinds = []
    for text in blocks("yaml") + blocks("yaml", "cameras.md"):
        for manifest in yaml.safe_load_all(text):
            check(manifest)
            kinds.append(manifest["kind"])
            # The check itself must find a misspelt name deep inside.
            wrong = json.loads(json.dumps(manifest).replace('"resources"', '"resorces"')
                               .replace('"ports"', '"prts"').replace('"data"', '"dat"'))
            assert wrong != manifest
            try:
                check(wrong)
            except (jsonschema.ValidationError, kubernetes_validate.ValidationError):
                continue
            sys.exit(f"a fault in {manifest['kind']} was not found")
    assert kinds == ["PersistentVolumeClaim", "DaskCluster", "Job", "ConfigMap", "Service",
                     "StatefulSet"], kinds
    print("ok: manifests", *kinds)


def run(command, folder, env):
    print("+", command, flush=True)
    done = subprocess.run(command, shell=True, cwd=folder, env=env, timeout=120, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"FAILED ({done.returncode}): {command}\n{done.stdout}")


def start(command, folder, env):
    """Start a program that keeps running."""
    print("+", command, "&", flush=True)
    return subprocess.Popen(["sh", "-c", "exec " + command], cwd=folder, env=env,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def clips(folder):
    """Make two clips of three frames."""
    (folder / "videos" / "a").mkdir(parents=True)
    for number, name in enumerate(["a/b.mp4", "c.mp4"]):
        done = subprocess.run(
            ["ffmpeg", "-v", "error", "-ss", str(number), "-i", ROOT / "data/clips/cup.mp4",
             "-frames:v", "3", "-s", "160x120", folder / "videos" / name],
            stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            skip("ffmpeg makes no video here")


def outputs(folder):
    """Check that all outputs are there, and remove them."""
    made = sorted(p.relative_to(folder / "masks").as_posix()
                  for p in (folder / "masks").rglob("*.zip"))
    assert made == ["a/b.mp4.masks.zip", "c.mp4.masks.zip"], made
    shutil.rmtree(folder / "masks")


def commands(folder, env):
    """Run the sh blocks, except installations and Slurm."""
    lines = [re.sub(r"\s*#.*", "", line) for block in blocks("sh") for line in block.splitlines()
             if "pip install" not in line and "slurm" not in line]
    lines = [line.replace("//SCHEDULER:8786", "//127.0.0.1:28786") for line in lines]
    assert len(lines) == 5, lines
    for line in lines[:2]:
        run(line, folder, env)
    outputs(folder)
    going = [start(lines[2] + " --host 127.0.0.1 --port 28786 --no-dashboard", folder, env),
             start(lines[3] + f" --no-dashboard --local-directory {folder}/work", folder, env)]
    try:
        run(lines[4], folder, env)
    finally:
        for process in reversed(going):
            process.terminate()
            process.wait()
    outputs(folder)
    print("ok:", len(lines), "commands")


def slurm(folder, env):
    program(folder, "sbatch", SBATCH)
    program(folder, "scancel", SCANCEL)
    (recipe,) = blocks("python")
    assert 'local_directory="/tmp"' in recipe
    (folder / "archive_slurm.py").write_text(
        recipe.replace('local_directory="/tmp"', f'local_directory="{folder}/work"'))
    (command,) = [line for block in blocks("sh") for line in block.splitlines()
                  if "slurm" in line]
    run(command, folder, env | {"FAKE": str(folder)})
    outputs(folder)
    jobs = list(folder.glob("job-*.sh"))
    assert jobs
    script = jobs[0].read_text()
    for words in ("#SBATCH -p normal", "#SBATCH --cpus-per-task=4", "#SBATCH -t 04:00:00",
                  "--nthreads 1", "--lifetime 230m"):
        assert words in script, script
    print("ok:", len(jobs), "jobs of Slurm")


def main():
    if sys.argv[1] == "--manifests":
        return check_manifests(pathlib.Path(sys.argv[2]))
    package = pathlib.Path(sys.argv[1]).resolve() / "engine" / "python"
    for name in ("distributed", "av", "tqdm", "yaml", "PIL"):
        if subprocess.run(["/usr/bin/python3", "-c", "import " + name], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            skip(f"no {name} here")
    if not (package / "rvos").exists():
        skip("the Python package is not in this build")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        python = packages(folder)
        subprocess.run([python, __file__, "--manifests", folder / "schema"], check=True)
        clips(folder)
        for tool, module in [("rvos-archive", "rvos.archive"), ("dask", "dask.__main__")]:
            program(folder, tool, f'#!/bin/sh\nexec {python} -m {module} "$@"\n')
        program(folder, "python3", f'#!/bin/sh\nexec {python} "$@"\n')
        env = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}",
                            "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
        commands(folder, env)
        slurm(folder, env)
    return None


if __name__ == "__main__":
    main()
