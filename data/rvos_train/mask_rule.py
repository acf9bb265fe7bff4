# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the values of a mask file mean: the rule of engine/pictures/pictures.h, in numpy.

1. One value beside 0: up to `single` it is that object's number. Above (such as white) the
   mask shows object 1, if there is background, too.
2. Nearly black and white, with the values between along its edges: object 1 where it is at
   least half white.
3. Values up to `highest`: object numbers; 255 beside them means "ignore".
4. Anything else is an error.

With `published`, values are always numbers and 255 is "ignore", as data sets define it.
Alpha is ignored, but a pixel that is more than half transparent is background. RGB with
greys only counts as grey. Other RGB must have colours of the DAVIS palette, or one colour
on black.
"""
import numpy as np

IGNORE = 255
MAX_SLOT = 32


class MaskError(ValueError):
    """The message names the fault of a mask; the caller adds the file."""


def davis_colour(number):
    """Each three bits of the number are the next lower bits of red, green and blue, from the
    top bits on."""
    return tuple(sum((number >> (3 * bit + k) & 1) << (7 - bit)
                     for bit in range(8) if 3 * bit + k < 8) for k in range(3))


COLOURS = {davis_colour(n): n for n in (*range(MAX_SLOT + 1), IGNORE)}


def _on_slope(a, between):
    """Count the pixels of `between` that have a darker and a brighter neighbour."""
    padded = np.pad(a.astype(np.int32), 1, mode="edge")
    h, w = a.shape
    views = [padded[y:y + h, x:x + w] for y in range(3) for x in range(3)]
    return int(((np.min(views, 0) < a) & (np.max(views, 0) > a) & between).sum())


def describe(values):
    values = [str(v) for v in values]
    if len(values) > 8:
        return ", ".join(values[:8]) + f" and {len(values) - 8} more"
    return ", ".join(values[:-1]) + " and " + values[-1] if len(values) > 1 else values[0]


def understand(a, single=254, highest=254, published=False):
    """Map values (h,w) of up to 16 bits to object numbers, 0 and IGNORE, as uint8."""
    white = 255 if a.max(initial=0) <= 255 else 65535
    values, counts = np.unique(a, return_counts=True)
    beside = [int(v) for v in values if v]
    between = [v for v in beside if v < white]
    n_white = int(counts[values == white].sum())
    n_between = sum(int(n) for v, n in zip(values, counts) if 0 < v < white)
    refused = MaskError(f"holds the values {describe(values)}, which are no object numbers")
    if not beside:
        return a.astype(np.uint8)
    if published:
        if max(between, default=0) > highest or white != IGNORE:
            raise refused
        return a.astype(np.uint8)
    if len(beside) == 1:
        value, background = beside[0], 0 in values
        if value <= (single if background else highest):
            return a.astype(np.uint8)
        if background:
            return (a != 0).astype(np.uint8)
        if value == white:
            return np.full(a.shape, IGNORE, np.uint8)
        raise refused
    if n_white and max(between) > MAX_SLOT and n_between <= n_white and \
            4 * _on_slope(a, (a > 0) & (a < white)) >= 3 * n_between:
        return (2 * a.astype(np.int64) >= white).astype(np.uint8)
    if max(between) > highest:
        raise refused
    return np.where(a == white, IGNORE, a).astype(np.uint8)


def _named(rgb):
    """Map colours (h,w,3) to numbers."""
    found, inverse = np.unique(rgb.reshape(-1, 3), axis=0, return_inverse=True)
    found = [tuple(int(v) for v in c) for c in found]
    foreign = [c for c in found if c not in COLOURS]
    if foreign and (len(foreign) > 1 or len(found) != 2 or (0, 0, 0) not in found):
        raise MaskError("has colours (such as #%02x%02x%02x), and shows no object numbers"
                        % foreign[0])
    numbers = np.array([COLOURS.get(c, 1) for c in found], np.uint8)
    return numbers[inverse].reshape(rgb.shape[:2])


def values_of(picture):
    """The values of a PIL picture that holds a mask, one a pixel."""
    if picture.mode == "P":
        a = np.array(picture, np.uint8)
        palette = np.array(picture.getpalette() or [0] * 768, np.uint8)
        palette = np.pad(palette, (0, 768 - len(palette))).reshape(256, 3)
        colours = palette[np.unique(a)]
        grey = (colours == colours[:, :1]).all()
        if grey and 0 in a and palette[0, 0] and (colours[:, 0] == 0).any():
            return palette[a][..., 0]
        return a
    if picture.mode == "1":
        return np.array(picture, np.uint8)
    if picture.mode not in ("L", "LA", "PA", "RGB", "RGBA", "I", "I;16", "I;16B"):
        raise MaskError(f"is a {picture.mode} picture, which holds no object numbers")
    if picture.mode == "PA":
        picture = picture.convert("RGBA")
    a = np.array(picture).astype(np.int64)
    if a.ndim == 2:
        return a
    if a.shape[2] in (2, 4):
        a = np.where(2 * a[..., -1:] >= 255, a[..., :-1], 0)
    if a.shape[2] == 1 or (a == a[..., :1]).all():
        return a[..., 0]
    return _named(a)


def upright(picture):
    """Turn a picture as its EXIF orientation says."""
    from PIL import ImageOps
    return ImageOps.exif_transpose(picture) if picture.getexif().get(0x0112, 1) != 1 \
        else picture


def read(picture, single=254, highest=254, published=False):
    """The mask of an open PIL picture as uint8 (h,w)."""
    if picture.format not in ("PNG", "PPM"):
        raise MaskError(f"is a {picture.format} file: masks are PNG or PGM files")
    return understand(values_of(upright(picture)), single, highest, published)
