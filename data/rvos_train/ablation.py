# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the paper's ablation: which recurrences, with and without given masks.

    python3 data/rvos_train ablation davis2016|davis2017|youtube-vos ROOT OUT_DIR --model FILE
                [--checkpoint NAME=FILE]... [--split NAME] [--tools DIR] [--only NAME,...]
                [-- RVOS-SEGMENT OPTIONS]

Rows are named as in the paper: RVOS-Mask-S, -T, -ST, -ST+ (one-shot; "+": trained further
with inferred masks) and RVOS-S, -T, -ST (zero-shot). A row runs its own --checkpoint,
else --model with the row's variant. A row without a file is left out. Masks
go to OUT_DIR/ROW, scores to OUT_DIR/ROW.json, the tables to OUT_DIR/ablation.md. If it is
interrupted, the same command continues.

Zero-shot masks are chosen and painted by the annotation of an object's first frame, as
the paper's authors did (rvos-segment --assign). Published numbers are quoted from
Ventura et al., "RVOS: End-to-End Recurrent Network for Video Object Segmentation", CVPR
2019, tables 1 to 5 and section 4. They are of the YouTube-VOS validation server and of
DAVIS-2017 test-dev, and can be compared only with results on the same set. For seen and
unseen categories give --meta and --seen (see rvos-eval). """
import argparse
import json
import os
import pathlib
import subprocess
import sys

from . import files

ROWS = {  # name: (task, variant)
    "RVOS-Mask-S": ("one-shot", "spatial"),
    "RVOS-Mask-T": ("one-shot", "temporal"),
    "RVOS-Mask-ST": ("one-shot", "spatio-temporal"),
    "RVOS-Mask-ST+": ("one-shot", "spatio-temporal"),
    "RVOS-S": ("zero-shot", "spatial"),
    "RVOS-T": ("zero-shot", "temporal"),
    "RVOS-ST": ("zero-shot", "spatio-temporal"),
}

# J seen, J unseen, F seen, F unseen; trained on 80 % of the training set
TABLE_1 = {"RVOS-Mask-S": (54.7, 37.3, 57.4, 42.4),
           "RVOS-Mask-T": (59.9, 39.2, 63.1, 45.6),
           "RVOS-Mask-ST": (60.8, 44.6, 63.7, 50.3),
           "RVOS-Mask-ST+": (63.1, 44.5, 67.1, 50.4)}
# the same columns; trained on all of it
TABLE_2 = {"OSVOS (online learning)": (59.8, 54.2, 60.5, 60.7),
           "MaskTrack (online learning)": (59.9, 45.0, 59.5, 47.9),
           "OnAVOS (online learning)": (60.1, 46.6, 62.7, 51.4),
           "OSMN": (60.0, 40.6, 60.1, 44.0),
           "S2S without online learning": (66.7, 48.2, 65.5, 50.3),
           "RVOS-Mask-ST+": (63.6, 45.5, 67.2, 51.0)}
# by number of objects in the video: J, F
TABLE_3 = {1: (78.2, 75.5), 2: (62.8, 67.6), 3: (50.7, 56.1), 4: (50.2, 62.3),
           5: (56.3, 66.4)}
# DAVIS-2017 test-dev, one-shot: J, F
TABLE_4 = {"OSVOS (online learning)": (47.0, 54.8),
           "OnAVOS (online learning)": (49.9, 55.7),
           "OSVOS-S (online learning)": (52.9, 62.1),
           "CINM (online learning)": (64.5, 70.5), "OSMN": (37.7, 44.9),
           "FAVOS": (42.9, 44.2), "RVOS-Mask-ST+ (trained on YouTube-VOS)": (46.4, 50.6),
           "RVOS-Mask-ST+ (fine-tuned on DAVIS)": (48.0, 52.6)}
# DAVIS-2017 test-dev, zero-shot (section 4.2): J, F
ZERO_SHOT_DAVIS = {"RVOS-ST (trained on YouTube-VOS)": (21.7, 27.3),
                   "RVOS-ST (fine-tuned on DAVIS)": (23.0, 29.9)}
TABLE_5 = {"RVOS-S": (40.8, 19.9, 43.9, 23.2), "RVOS-T": (37.1, 20.2, 38.7, 21.6),
           "RVOS-ST": (44.7, 21.2, 45.0, 23.9)}


# ---- running ---------------------------------------------------------------------------

def fail(words):
    sys.exit(f"rvos_train ablation: {words}")


def tool(a, name):
    return str(a.tools / name) if a.tools else name


def model_of(a, row):
    """The file that a row runs, or None."""
    named = dict(a.checkpoint)
    if row in named:
        return named[row]
    # "+" differs in training, so it needs a file of its own
    return None if row.endswith("+") else a.model


def write(path, text):
    with files.atomic(path) as f:
        f.write(text.encode())


def check_places(a, rows, annotations):
    """Results must not replace a model, list or folder that is read."""
    guard = files.Guard(a.root, annotations, a.model, a.meta, a.seen,
                        *(path for _, path in a.checkpoint))
    try:
        for name in ("", "ablation.md", "sequences.txt", *rows,
                     *(f"{r}.json" for r in rows)):
            guard.write(a.out / name)
    except files.FileError as e:
        fail(e)


def run_row(a, row, annotations):
    task, variant = ROWS[row]
    masks, scores = a.out / row, a.out / f"{row}.json"
    command = [tool(a, "rvos-segment"), "--dataset", a.dataset, "--model",
               model_of(a, row), "--task", task, "--variant", variant, *a.options]
    if a.split:
        command += ["--split", a.split]
    if task == "zero-shot":
        command += ["--assign", "annotations"]
    print(f"{row}:", " ".join(map(str, command[1:])), flush=True)
    done = subprocess.run([*map(str, command), str(a.root), str(masks)]).returncode
    if done not in (0, 2):  # 2: some sequences failed, and were reported
        return None
    done_names = a.out / "sequences.txt"
    names = sorted(p.name for p in masks.iterdir() if p.is_dir())
    write(done_names, "".join(n + "\n" for n in names))
    command = [tool(a, "rvos-eval"), "--quiet", "--protocol",
               a.dataset, "--json", str(scores), "--sequences", str(done_names),
               str(annotations), str(masks)]
    for option in ("meta", "seen"):
        if getattr(a, option):
            command += [f"--{option}", str(getattr(a, option))]
    done = subprocess.run(command).returncode
    if done not in (0, 2):
        return None
    return json.loads(scores.read_text())


# ---- tables ----------------------------------------------------------------------------

def columns_of(result):
    """[(heading, value)] as in the paper: seen and unseen separately if they are known."""
    if "seen" in result and "unseen" in result:
        return [(f"{m} {g}", 100 * result[g][m]["mean"]) for m in "JF" for g in
                ("seen", "unseen")]
    return [(m, 100 * result["mean"][m]["mean"]) for m in "JF"]


def cell(value):
    return "" if value is None else f"{value:.1f}"


def table(title, headings, rows):
    """rows: (name, ours or None, published or None), each a tuple as long as headings."""
    out = [f"### {title}", ""]
    out.append("| model | " + " | ".join(f"{h}" for h in headings) + " | " +
               " | ".join(f"{h}, published" for h in headings) + " |")
    out.append("|---" + "|---:" * (2 * len(headings)) + "|")
    for name, ours, published in rows:
        ours = ours or [None] * len(headings)
        published = published or [None] * len(headings)
        out.append(f"| {name} | " + " | ".join(map(cell, (*ours, *published))) + " |")
    return "\n".join(out) + "\n"


def ours_of(results, row, headings):
    """The values of the headings; None for a column that the result lacks."""
    if row not in results:
        return None
    have = dict(columns_of(results[row]))
    return tuple(have.get(h) for h in headings)


def four_columns(results):
    """The paper's columns, if categories are known, else J and F of all."""
    known = any("seen" in r and "unseen" in r for r in results.values())
    return ("J seen", "J unseen", "F seen", "F unseen") if known else ("J", "F")


def youtube_tables(results):
    headings = four_columns(results)

    def published(numbers):
        return numbers if len(headings) == 4 else None
    parts = []
    for title, numbers, prefix in (
            ("Table 1: one-shot, recurrences", TABLE_1, "RVOS-Mask"),
            ("Table 5: zero-shot, recurrences", TABLE_5, "RVOS-")):
        rows = [(r, ours_of(results, r, headings), published(numbers[r]))
                for r in numbers]
        parts.append(table(title, headings, rows))
    rows = [(n, ours_of(results, n, headings), published(v)) for n, v in TABLE_2.items()]
    parts.insert(1, table("Table 2: one-shot, other methods", headings, rows))
    return parts


def davis_tables(dataset, results):
    """The paper has no figures for DAVIS-2016."""
    headings, published = ("J", "F"), dataset == "davis2017"
    parts = []
    for title, masks, numbers in (("Table 4: one-shot", True, TABLE_4),
                                  ("Section 4.2: zero-shot", False, ZERO_SHOT_DAVIS)):
        rows = [(r, ours_of(results, r, headings), None) for r in ROWS
                if ("Mask" in r) == masks]
        rows += [(n, None, v) for n, v in numbers.items() if published]
        parts.append(table(title + " (published: test-dev)" * published, headings, rows))
    return parts


def instance_table(a, results):
    """The best one-shot row of the results, by number of objects."""
    row = next((r for r in ("RVOS-Mask-ST+", "RVOS-Mask-ST") if r in results), None)
    if not row:
        return []
    by = {b["instances"]: b for b in results[row]["by_instances"]}
    rows = [(f"{n} object{'s' * (n > 1)}",
             tuple(100 * by[n][m]["mean"] for m in "JF") if n in by else None,
             TABLE_3.get(n) if a.dataset == "youtube-vos" else None)
            for n in sorted(set(by) |
                            (set(TABLE_3) if a.dataset == "youtube-vos" else set()))]
    return [table(f"Table 3: {row} by number of objects", ("J", "F"), rows)]


def write_tables(a, results):
    lines = [f"# Ablation on {a.dataset}", "",
             f"Data set {a.root}" + (f", split {a.split}" if a.split else "") + ".", ""]
    for row in results:
        mean = results[row]["mean"]
        lines.append(f"* {row}: {model_of(a, row)}; {mean['objects']} objects in "
                     f"{mean['sequences']} sequences")
    lines += ["", "Percent. Published: Ventura et al., CVPR 2019; comparable only with "
              "the same set and training data.", ""]
    parts = (youtube_tables(results) if a.dataset == "youtube-vos"
             else davis_tables(a.dataset, results))
    text = "\n".join(lines) + "\n" + "\n".join(parts + instance_table(a, results))
    write(a.out / "ablation.md", text)
    return text


# ---- command line ----------------------------------------------------------------------

def checkpoint(word):
    name, _, path = word.partition("=")
    if name not in ROWS or not path:
        raise argparse.ArgumentTypeError(f"{word}: give NAME=FILE, NAME one of "
                                         f"{', '.join(ROWS)}")
    return name, pathlib.Path(path)


def arguments(argv):
    options = []
    if "--" in argv:
        options = argv[argv.index("--") + 1:]
        argv = argv[:argv.index("--")]
    p = files.parser(__doc__)
    p.add_argument("dataset", choices=("davis2016", "davis2017", "youtube-vos"))
    p.add_argument("root", type=pathlib.Path, metavar="ROOT")
    p.add_argument("out", type=pathlib.Path, metavar="OUT_DIR")
    p.add_argument("--model", type=pathlib.Path,
                   help="for every row without a --checkpoint")
    p.add_argument("--checkpoint", type=checkpoint, action="append", default=[],
                   metavar="NAME=FILE")
    p.add_argument("--split")
    p.add_argument("--tools", type=pathlib.Path,
                   help="folder of rvos-segment and rvos-eval")
    p.add_argument("--only", help="rows, comma separated")
    p.add_argument("--meta", type=pathlib.Path)
    p.add_argument("--seen", type=pathlib.Path)
    a = p.parse_args(argv)
    a.options = options
    a.only = a.only.split(",") if a.only else list(ROWS)
    for row in a.only:
        if row not in ROWS:
            p.error(f"no row {row}; there are {', '.join(ROWS)}")
    return a


def annotations_of(a):
    if a.dataset != "youtube-vos":
        path = a.root / "Annotations" / "480p"
    else:
        path = a.root / (a.split or "valid") / "Annotations"
        if not path.is_dir():
            path = a.root / "Annotations"
    if not path.is_dir():
        fail(f"{path}: is missing: give the root folder of a {a.dataset} data set")
    return path


def main(argv=None):
    a = arguments(sys.argv[1:] if argv is None else argv)
    annotations = annotations_of(a)
    rows = [r for r in a.only if model_of(a, r)]
    if not rows:
        fail("no row has a model: give --model or --checkpoint")
    check_places(a, rows, annotations)
    os.makedirs(a.out, exist_ok=True)
    results, bad = {}, 0
    for row in rows:
        result = run_row(a, row, annotations)
        if result is None or "mean" not in result:
            print(f"rvos_train ablation: {row}: left out", file=sys.stderr)
            bad = 1
        else:
            results[row] = result
    if results:
        print("\n" + write_tables(a, results))
        print(f"tables: {a.out / 'ablation.md'}")
    return bad
