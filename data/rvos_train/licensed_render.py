# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips of several solid objects with exact masks, rendered by pybullet on the CPU.

Objects are pybullet's own procedural meshes ("random_urdfs"), primitives, and bodies of
several parts that swing.  They wander, cross, hide each other, enter, leave and come
back, or fall and roll by physics.  Behind them is a picture under a slow camera move; in
some clips there is a floor.  Label k is one object through the whole clip.

clip(seed, ...) is deterministic: the same seed and pictures give the same arrays.
"""
import math
import os
import tempfile

import numpy as np
from PIL import Image, ImageFilter

STORIES = ("wander", "cross", "hide", "enter", "leave", "return", "fall")
SIZE = (448, 256)
MESHES = 1000  # in pybullet_data/random_urdfs
FLOOR = -1.2  # its height, if there is one
DEPTH = 7.0  # from the camera to the middle of the scene
FIELD = 45.0  # degrees, of the camera, top to bottom
FALL_STEPS = 6  # steps of the physics per frame, 1/240 s each


def half_view(depth=DEPTH):
    """Half the width and height of the camera's view at this distance."""
    y = depth * math.tan(math.radians(FIELD / 2))
    return y * SIZE[0] / SIZE[1], y


# ---- objects ---------------------------------------------------------------------------

class Textures:
    """Square crops of pictures, as files that pybullet can load. `used` has the names of
    the pictures."""

    def __init__(self, pictures, folder):
        self.pictures, self.folder, self.count = pictures, folder, 0
        self.used = set()

    def crop(self, rng, side=256):
        image = self.pick(rng).image
        most = min(image.size)
        size = int(rng.integers(max(16, most // 4), most + 1))
        x, y = (int(rng.integers(n - size + 1)) for n in image.size)
        part = image.crop((x, y, x + size, y + size)).resize((side, side), Image.BICUBIC)
        a = np.asarray(part, np.float32)
        gain = rng.uniform(0.6, 1.3, 3)
        if rng.random() < 0.3:
            a = a[..., rng.permutation(3)]
        return Image.fromarray(np.clip(a * gain, 0, 255).astype(np.uint8))

    def pick(self, rng):
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        self.used.add(picture.name)
        return picture

    def load(self, bullet, rng):
        self.count += 1
        path = os.path.join(self.folder, f"{self.count}.png")
        self.crop(rng).save(path)
        return bullet.loadTexture(path)


def primitive(bullet, rng, size):
    kind = int(rng.integers(4))
    if kind == 0:
        return bullet.createVisualShape(bullet.GEOM_SPHERE, radius=size)
    if kind == 1:
        return bullet.createVisualShape(
            bullet.GEOM_BOX, halfExtents=list(size * rng.uniform(0.5, 1.0, 3)))
    if kind == 2:
        return bullet.createVisualShape(bullet.GEOM_CAPSULE, radius=size * 0.5,
                                        length=size * rng.uniform(0.8, 1.6))
    return bullet.createVisualShape(bullet.GEOM_CYLINDER, radius=size * 0.7,
                                    length=size * rng.uniform(0.6, 1.8))


def mesh(bullet, rng, size, root, folder):
    """One of pybullet's meshes, centred. The files lack texture coordinates; these are added."""
    n = int(rng.integers(MESHES))
    with open(os.path.join(root, "random_urdfs", f"{n:03d}", f"{n:03d}.obj")) as f:
        lines = f.read().splitlines()
    v = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    v -= (v.min(0) + v.max(0)) / 2
    v *= 3.0 * size / np.linalg.norm(np.ptp(v, 0))
    along = np.argmax(np.ptp(v, 0))
    uv = np.delete(v, along, 1) / size * 0.4 + v[:, [along]] / size * (0.3, 0.15) + 0.5
    path = os.path.join(folder, f"{n}-{size:.6f}.obj")
    with open(path, "w") as f:
        f.writelines(f"v {a:.5f} {b:.5f} {c:.5f}\n" for a, b, c in v)
        f.writelines(f"vt {a:.5f} {b:.5f}\n" for a, b in uv)
        for line in lines:
            if line.startswith("f "):
                corners = [word.split("/")[0] for word in line.split()[1:]]
                f.write("f " + " ".join(f"{k}/{k}" for k in corners) + "\n")
    return bullet.createVisualShape(bullet.GEOM_MESH, fileName=path)


class Part:
    """A body of an object, with its place in the object and the amount of its swing."""

    def __init__(self, body, offset, swing, phase):
        self.body, self.offset, self.swing, self.phase = body, offset, swing, phase


class Object:
    """size is about the radius. Several parts are one object with one label."""

    def __init__(self, bullet, rng, textures, root, size):
        self.bullet, self.size = bullet, size
        self.parts = []
        many = int(rng.integers(3, 6)) if rng.random() < 0.4 else 1
        skin = textures.load(bullet, rng)
        plain = [*rng.uniform(0.15, 1.0, 3), 1]
        for k in range(many):
            own = size if k == 0 and many == 1 else size * (0.65 if k == 0 else 0.4)
            use_mesh = rng.random() < 0.55
            shape = (mesh(bullet, rng, own, root, textures.folder) if use_mesh
                     else primitive(bullet, rng, own))
            body = bullet.createMultiBody(0, -1, shape)
            if rng.random() < 0.3:
                bullet.changeVisualShape(body, -1, rgbaColor=plain)
            else:
                bullet.changeVisualShape(body, -1, textureUniqueId=skin)
            offset = np.zeros(3)
            if k:
                offset = rng.normal(size=3) * (1, 0.5, 1)
                offset *= size * 0.6 / np.linalg.norm(offset)
            self.parts.append(Part(body, offset, rng.uniform(0.2, 0.7) * bool(k),
                                   rng.uniform(0, 6.3)))
        self.spin = rng.uniform(-1, 1, 3) * (0.8, 0.4, 0.8)
        self.start = rng.uniform(-3, 3, 3)
        self.rate = rng.uniform(0.25, 0.7)

    def place(self, position, t):
        """Move to a position, turned as at frame t."""
        b = self.bullet
        turn = b.getQuaternionFromEuler(list(self.start + self.spin * t / 24 * 2))
        for part in self.parts:
            angle = part.swing * math.sin(self.rate * t + part.phase)
            swing = b.getQuaternionFromEuler([0, angle, angle * 0.5])
            at, _ = b.multiplyTransforms([0, 0, 0], swing, list(part.offset), [0, 0, 0, 1])
            at, q = b.multiplyTransforms(list(position), turn, at, swing)
            b.resetBasePositionAndOrientation(part.body, at, q)


# ---- motion ----------------------------------------------------------------------------

def path(keys, frames):
    """(frames, 3) through keys of (time 0..1, x, y, depth), corners rounded off."""
    keys = np.array(keys, float)
    t = np.linspace(-0.15, 1.15, frames + 8)
    out = np.stack([np.interp(t, keys[:, 0], keys[:, k]) for k in (1, 3, 2)], 1)
    soft = np.hanning(11)[1:-1]
    return np.stack([np.convolve(out[:, k], soft / soft.sum(), "valid")
                     for k in range(3)], 1)


def tell(story, rng, objects, frames, floor):
    """A path for each object. Keys are time, x, height, and the distance behind the
    middle of the scene. Objects stay above the floor."""
    side = float(rng.choice((-1, 1)))
    out = []
    for k, o in enumerate(objects):
        depth = 0.8 * k - 0.8 + rng.uniform(-0.2, 0.2)
        x1, y1 = half_view(DEPTH + depth)
        # far enough for every corner to be outside the picture
        away = x1 + 2.2 * o.size + 0.3
        spot = lambda: (rng.uniform(-0.7, 0.7) * x1, rng.uniform(-0.55, 0.55) * y1)
        (xa, ya), (xb, yb) = spot(), spot()
        keys = [(0, xa, ya, depth), (1, xa + 0.5 * (xb - xa), ya + 0.4 * (yb - ya), depth)]
        if k < 2 and story == "cross":
            s = side if k else -side
            keys = [(0, s * 0.6 * x1, ya * 0.4, depth), (1, -s * 0.6 * x1, ya * 0.4, depth)]
        elif k < 2 and story == "hide":  # the first one, nearer, passes over the second
            y = 0.15 * y1
            keys = ([(0, -side * 0.7 * x1, y, depth), (0.4, 0, y, depth), (0.6, 0, y, depth),
                     (1, side * 0.7 * x1, y, depth)] if k == 0 else
                    [(0, 0.05 * x1, y, depth), (1, -0.05 * x1, y, depth)])
        elif k < 2 and story == "enter":
            keys = [(0, side * away, ya, depth), (0.1 + 0.25 * k, side * away, ya, depth),
                    (0.7 + 0.2 * k, xb, yb, depth), (1, xb, yb, depth)]
        elif k < 2 and story == "leave":
            keys = [(0, xa, ya, depth), (0.2 + 0.2 * k, xa, ya, depth),
                    (0.75 + 0.2 * k, side * away, yb, depth), (1, side * away, yb, depth)]
        elif k < 1 and story == "return":
            keys = [(0, xa, ya, depth), (0.3, side * away, ya, depth),
                    (0.5, side * away, yb, depth), (0.85, xb, yb, depth), (1, xb, yb, depth)]
        if floor:
            keys = [(t, x, max(y, FLOOR + 0.7 * o.size), d) for t, x, y, d in keys]
        out.append(path(keys, frames))
    return out


def fall(bullet, rng, objects, frames):
    """Paths by physics: spheres of the objects' sizes are thrown onto the floor."""
    bullet.setGravity(0, 0, -9.8)
    floor = bullet.createMultiBody(0, bullet.createCollisionShape(
        bullet.GEOM_PLANE), basePosition=[0, 0, FLOOR])
    bullet.changeDynamics(floor, -1, restitution=0.6)
    bodies = []
    for k, o in enumerate(objects):
        body = bullet.createMultiBody(
            1, bullet.createCollisionShape(bullet.GEOM_SPHERE, radius=o.size),
            basePosition=[rng.uniform(-2, 2), 0.8 * k - 0.8, rng.uniform(-0.3, 1.5) + k * 0.3])
        bullet.resetBaseVelocity(body, [rng.uniform(-3, 3), rng.uniform(-0.7, 0.7),
                                        rng.uniform(-1, 3)])
        bullet.changeDynamics(body, -1, restitution=0.7)
        bullet.changeVisualShape(body, -1, rgbaColor=[0, 0, 0, 0])
        bodies.append(body)
    out = np.zeros((len(objects), frames, 3))
    for t in range(frames):
        for k, body in enumerate(bodies):
            out[k, t] = bullet.getBasePositionAndOrientation(body)[0]
        for _ in range(FALL_STEPS):
            bullet.stepSimulation()
    for body in (*bodies, floor):
        bullet.removeBody(body)
    return out


# ---- pictures --------------------------------------------------------------------------

class Background:
    """A picture, seen by a camera that moves and zooms slowly. The things in a photo are not
    annotated, so it is blurred until nothing in it stands out."""

    def __init__(self, rng, image, photo):
        if rng.random() < 0.5:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        w, h = SIZE
        scale = max(w / image.width, h / image.height) * rng.uniform(1.3, 1.9)
        self.image = image.resize((math.ceil(image.width * scale),
                                   math.ceil(image.height * scale)), Image.BICUBIC)
        blur = rng.uniform(4, 8) if photo else rng.uniform(0, 3) * (rng.random() < 0.4)
        self.image = self.image.filter(ImageFilter.GaussianBlur(blur))
        room = np.array(self.image.size) - (w * 1.08, h * 1.08)
        self.start = rng.uniform(0.1, 0.9, 2) * room
        self.end = np.clip(self.start + rng.uniform(-60, 60, 2), 0, room)
        self.zoom = rng.uniform(-0.06, 0.06)

    def frame(self, share):
        x, y = self.start + (self.end - self.start) * share
        z = 1 + self.zoom * share
        return self.image.transform(SIZE, Image.AFFINE, (z, 0, x, 0, z, y), Image.BILINEAR)


def add_floor(bullet, rng, textures):
    body = bullet.createMultiBody(0, -1, bullet.createVisualShape(
        bullet.GEOM_BOX, halfExtents=[12, 10, 0.02]), basePosition=[0, 1, FLOOR - 0.02])
    bullet.changeVisualShape(body, -1, textureUniqueId=textures.load(bullet, rng))
    return body


def lens(rng, frames):
    """Contrast, colour, blur and grain of one camera for the whole clip."""
    gain, shift = rng.uniform(0.85, 1.15, 3), rng.uniform(-12, 12)
    blur, grain = rng.uniform(0.4, 0.9), rng.uniform(0.5, 3)
    out = []
    for frame in frames:
        soft = Image.fromarray(frame).filter(ImageFilter.GaussianBlur(blur))
        a = np.asarray(soft, np.float32) * gain + shift + rng.normal(
            0, grain, (*frame.shape[:2], 1))
        out.append(np.clip(a, 0, 255).astype(np.uint8))
    return out


def shots(bullet, rng, objects, paths, background, floor):
    """Frames and labels of getCameraImage, with the background behind the objects."""
    w, h = SIZE
    frames, labels = [], []
    owner = {part.body: k + 1 for k, o in enumerate(objects) for part in o.parts}
    names = np.zeros(max(owner) + 2, np.uint8)  # the last one is for "nothing", -1
    for body, label in owner.items():
        names[body] = label
    light = dict(lightDirection=[rng.uniform(-4, 4), -rng.uniform(2, 6), rng.uniform(3, 7)],
                 lightAmbientCoeff=rng.uniform(0.35, 0.7), shadow=int(rng.random() < 0.15),
                 lightDiffuseCoeff=rng.uniform(0.4, 0.7), lightSpecularCoeff=rng.uniform(0, 0.2))
    drift = rng.uniform(-0.25, 0.25, 2)
    lens_of = bullet.computeProjectionMatrixFOV(FIELD, w / h, 0.1, 40)
    count = len(paths[0])
    for t in range(count):
        share = t / max(1, count - 1)
        for o, p in zip(objects, paths):
            o.place(p[t], t)
        eye = [drift[0] * share, -DEPTH, 0.4 * bool(floor) + drift[1] * share]
        view = bullet.computeViewMatrix(eye, [0, 0, 0], [0, 0, 1])
        _, _, rgb, _, seen = bullet.getCameraImage(
            w, h, view, lens_of, renderer=bullet.ER_TINY_RENDERER, **light)
        rgb = np.reshape(rgb, (h, w, 4))[..., :3].astype(np.uint8)
        seen = np.reshape(seen, (h, w))
        # ids behind the last part are the floor's
        label = names[np.where(seen < len(names) - 1, seen, -1)]
        behind = np.asarray(background.frame(share))
        frames.append(np.where((seen < 0)[..., None], behind, rgb))
        labels.append(label)
    return frames, labels


def clip(seed, pictures, frames=24):
    """(frames, labels, story, names of pictures used): uint8 (H,W,3) and (H,W) each, at
    SIZE.  pictures: licensed_sources.Picture."""
    import pybullet as bullet
    import pybullet_data
    root = pybullet_data.getDataPath()
    rng = np.random.default_rng([seed, 7])
    story = STORIES[seed % len(STORIES)]
    client = bullet.connect(bullet.DIRECT)
    try:
        with tempfile.TemporaryDirectory() as folder:
            textures = Textures(pictures, folder)
            count = int(rng.integers(2, 6))
            sizes = rng.uniform(0.6, 1.4, count) * (1.0 if count < 4 else 0.75)
            if story == "hide":
                sizes[:2] = rng.uniform(1.1, 1.35), rng.uniform(0.5, 0.7)
            objects = [Object(bullet, rng, textures, root, s) for s in sizes]
            floor = story == "fall" or rng.random() < 0.35
            paths = (fall(bullet, rng, objects, frames) if story == "fall"
                     else tell(story, rng, objects, frames, floor))
            if floor:
                add_floor(bullet, rng, textures)
            behind = textures.pick(rng)
            seen, labels = shots(bullet, rng, objects, paths,
                                 Background(rng, behind.image, behind.photo), floor)
            return lens(rng, seen), labels, story, sorted(textures.used)
    finally:
        bullet.disconnect(client)
