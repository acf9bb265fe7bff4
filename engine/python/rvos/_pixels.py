# SPDX-License-Identifier: LGPL-2.1-or-later
"""Converts frames and label images for librvos: pointers and strides, copies only if needed."""
from __future__ import annotations

import operator
import os
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._ffi import ffi
from ._library import lib

Labels = npt.NDArray[np.uint8]
Frame = Union[npt.NDArray[np.uint8], Sequence[npt.NDArray[Any]], Any]

MAX_OBJECTS: int = lib.RVOS_MAX_OBJECTS

# Bytes per pixel of formats with one plane.
PACKED = {"rgb": 3, "bgr": 3, "rgbx": 4, "bgrx": 4, "xrgb": 4, "xbgr": 4, "rgba": 4, "bgra": 4,
          "argb": 4, "abgr": 4, "gray": 1}
# Planes, chroma divisors of width and height, bytes per sample, samples per chroma pixel.
PLANAR = {"i420": (3, 2, 2, 1, 1), "nv12": (2, 2, 2, 1, 2), "nv21": (2, 2, 2, 1, 2),
          "y42b": (3, 2, 1, 1, 1), "y444": (3, 1, 1, 1, 1), "i420_10": (3, 2, 2, 2, 1),
          "y42b_10": (3, 2, 1, 2, 1), "y444_10": (3, 1, 1, 2, 1), "p010": (2, 2, 2, 2, 2)}
CONSTANT = {**{name: getattr(lib, "RVOS_" + name.upper()) for name in (*PACKED, *PLANAR)
               if name != "gray"}, "gray": lib.RVOS_GRAY8}
# PyAV's names.
AV = {"rgb24": "rgb", "bgr24": "bgr", "rgb0": "rgbx", "bgr0": "bgrx", "0rgb": "xrgb",
      "0bgr": "xbgr", "rgba": "rgba", "bgra": "bgra", "argb": "argb", "abgr": "abgr",
      "gray": "gray", "yuv420p": "i420", "yuvj420p": "i420", "nv12": "nv12", "nv21": "nv21",
      "yuv422p": "y42b", "yuvj422p": "y42b", "yuv444p": "y444", "yuvj444p": "y444",
      "yuv420p10le": "i420_10", "yuv422p10le": "y42b_10", "yuv444p10le": "y444_10",
      "p010le": "p010"}
MATRIX = {None: lib.RVOS_MATRIX_DEFAULT, "bt601": lib.RVOS_MATRIX_BT601,
          "bt709": lib.RVOS_MATRIX_BT709, "bt2020": lib.RVOS_MATRIX_BT2020}
# FFmpeg's AVColorSpace, if PyAV has it.
AV_MATRIX = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}


class Image:
    """An rvos_image and the memory it points to. `copied`: whether pixels were copied."""

    def __init__(self, kind: str, width: int, height: int) -> None:
        self.c = ffi.new("rvos_image *")
        self.c.format, self.c.width, self.c.height = CONSTANT[kind], width, height
        self.keep: list[Any] = []
        self.copied = False

    def plane(self, number: int, rows: npt.NDArray[Any], pixel: int) -> None:
        """A plane whose pixels have `pixel` bytes; rows are the first axis."""
        step = rows.strides[1] if rows.ndim > 1 else pixel
        last_is_dense = rows.ndim < 3 or rows.strides[2] == rows.itemsize
        if not last_is_dense or step != pixel or rows.strides[0] < rows.shape[1] * pixel:
            rows = np.ascontiguousarray(rows)
            self.copied = True
        self.c.plane[number] = ffi.cast("void *", rows.__array_interface__["data"][0])
        self.c.stride[number] = rows.strides[0]
        self.keep.append(rows)


def plain(frame: Any) -> Any:
    """A frame that NumPy may read: PIL gives it palette indices, CMYK or YCbCr as they are."""
    mode = getattr(frame, "mode", None)
    if not isinstance(mode, str) or not hasattr(frame, "getbands"):
        return frame
    if mode[:1] in "IF":  # PIL would clip them to 8 bits
        raise TypeError(f"a frame must have 8 bits a sample, not PIL's mode {mode}")
    return np.asarray(frame if mode in ("L", "RGB", "RGBA", "RGBX") else frame.convert("RGB"))


def array_of(given: Any, what: str) -> npt.NDArray[Any]:
    """An array, of what NumPy can read as one. None is what cv2.imread and VideoCapture.read
    return when they fail."""
    if given is None or isinstance(given, (str, bytes, os.PathLike, dict)):
        raise TypeError(f"{what} must be an array, not {_short(given)}")
    return np.asarray(given)


def _short(given: Any) -> str:
    if isinstance(given, (str, os.PathLike)):
        return f"a path: open {os.fspath(given)!r} first, for example by PIL"
    return "None" if given is None else type(given).__name__


def bytes_of(array: Any, what: str) -> npt.NDArray[Any]:
    array = array_of(array, what)
    if array.dtype != np.uint8:
        raise TypeError(f"{what} must be uint8, not {array.dtype}")
    if 0 in array.shape:
        raise ValueError(f"{what} must not be empty: {array.shape}")
    return array


def _packed(frame: npt.NDArray[Any], kind: Optional[str]) -> Image:
    frame = bytes_of(frame, "a frame")
    channels = frame.shape[2] if frame.ndim == 3 else 1
    if frame.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError("a frame must be (height, width, 3) or (height, width, 4), or "
                         f"(height, width) for grey, not {frame.shape}")
    kind = kind or {1: "gray", 3: "rgb", 4: "rgba"}[channels]
    if kind in PLANAR:
        raise ValueError(f"a frame of format {kind} is a tuple of {PLANAR[kind][0]} planes, not "
                         f"one array of shape {frame.shape}")
    if kind not in PACKED:
        raise ValueError(f"format must be one of {', '.join([*PACKED, *PLANAR])}, not {kind!r}")
    if PACKED[kind] != channels:
        raise ValueError(f"a frame of {channels} channels cannot be {kind}")
    # OpenCV users view BGR as RGB with [..., ::-1]: use another format instead of a copy.
    if channels > 1 and frame.strides[2] == -1 and kind[::-1] in PACKED:
        frame, kind = frame[:, :, ::-1], kind[::-1]
    image = Image(kind, frame.shape[1], frame.shape[0])
    image.plane(0, frame, channels)
    return image


def _planar(planes: Sequence[npt.NDArray[Any]], kind: Optional[str]) -> Image:
    if kind is None:
        raise ValueError("a frame is an array, or a tuple of planes with a format, not a "
                         f"{type(planes).__name__}")
    if kind not in PLANAR:
        raise ValueError(f"format must be one of {', '.join(PLANAR)} for planes, not {kind}")
    count, across, down, size, together = PLANAR[kind]
    if len(planes) != count:
        raise ValueError(f"{kind} has {count} planes, not {len(planes)}")
    arrays = [np.asarray(p) for p in planes]
    height, width = arrays[0].shape[:2]
    image = Image(kind, width, height)
    for number, array in enumerate(arrays):
        chroma = number > 0
        each = together if chroma else 1
        shape = (-(-height // down), -(-width // across)) if chroma else (height, width)
        wanted: tuple[int, ...] = shape if each == 1 else (*shape, each)
        if array.dtype != ("<u2" if size == 2 else "u1") or array.shape != wanted:
            raise ValueError(f"plane {number} of {kind} must be uint{8 * size}, {wanted}, "
                             f"not {array.dtype}, {array.shape}")
        image.plane(number, array, each * size)
    return image


def _decoded(frame: Any) -> Image:
    """A PyAV frame, without a copy if librvos knows the format."""
    name = frame.format.name
    # FFmpeg's vflip makes negative strides. Only a change of format makes a copy.
    if name not in AV or any(plane.line_size < 0 for plane in frame.planes):
        name = "rgb24" if name != "rgb24" else "bgr24"
        frame = frame.reformat(format=name)
    image = Image(AV[name], frame.width, frame.height)
    image.keep.append(frame)
    for number, plane in enumerate(frame.planes):
        image.c.plane[number] = ffi.cast("void *", plane.buffer_ptr)
        image.c.stride[number] = plane.line_size
    image.c.colorimetry.matrix = MATRIX[AV_MATRIX.get(getattr(frame, "colorspace", 0))]
    image.c.colorimetry.full_range = (name.startswith("yuvj")
                                      or getattr(frame, "color_range", None) == 2)
    return image


def image_of(frame: Frame, kind: Optional[str] = None, matrix: Optional[str] = None,
             full_range: bool = False) -> Image:
    """The rvos_image of any frame that Stream.process accepts."""
    if hasattr(frame, "planes") and hasattr(frame, "reformat"):
        return _decoded(frame)
    image = (_planar(frame, kind) if isinstance(frame, (tuple, list))
             else _packed(plain(frame), kind))
    if matrix not in MATRIX:
        raise ValueError(f"matrix must be bt601, bt709 or bt2020, not {matrix}")
    image.c.colorimetry.matrix = MATRIX[matrix]
    image.c.colorimetry.full_range = full_range
    return image


def size_of(frame: Frame) -> tuple[int, int]:
    """The (height, width) of a frame that image_of accepts."""
    if hasattr(frame, "planes") and hasattr(frame, "reformat"):
        decoded: Any = frame
        return decoded.height, decoded.width
    shape = np.shape(frame[0] if isinstance(frame, (tuple, list)) else frame)
    return shape[0], shape[1]


def pair_of(size: Any, names: str) -> tuple[int, int]:
    """A size of two whole numbers above 0; `names` says which."""
    try:
        one, two = (operator.index(number) for number in size)
    except (TypeError, ValueError):
        one = two = 0
    if min(one, two) < 1:
        raise ValueError(f"size must be ({names}) in pixels, not {size!r}")
    return one, two


def whole(value: Any, what: str) -> int:
    """An int of C. NumPy's are converted: arithmetic with a uint8 would wrap."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, not {value!r}") from None
    if not -1 << 31 <= number < 1 << 31:
        raise ValueError(f"{what} is out of range: {number}")
    return number


def view(array: Labels, what: str, written: bool = False) -> Any:
    """An rvos_labels of an array (height, width), which must be uint8 and stay alive.
    `written`: librvos writes to it."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{what} must be an array, not {type(array).__name__}")
    if array.dtype != np.uint8 or array.ndim != 2:
        raise ValueError(f"{what} must be uint8, (height, width), not {array.dtype}, "
                         f"{array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{what} must not be empty: {array.shape}")
    if array.strides[1] < 1 or array.strides[0] < array.shape[1] * array.strides[1]:
        raise ValueError(f"{what}: rows and pixels must lie one after another in memory")
    if written and not array.flags.writeable:
        raise ValueError(f"{what} is read-only")
    labels = ffi.new("rvos_labels *")
    labels.height, labels.width = array.shape
    labels.data = ffi.cast("uint8_t *", array.__array_interface__["data"][0])
    labels.stride, labels.step = array.strides
    return labels


def labels_of(masks: Any) -> Labels:
    """Converts masks to one label image. Masks are labels (height, width), bool (height, width)
    for object 1, or bool (objects, height, width), where the first of overlapping masks wins.
    Of labels with one value beside 0, a value above 32, such as 255, is object 1. 255 beside
    other labels is background."""
    masks = array_of(masks, "masks")
    if masks.dtype == np.bool_ and masks.ndim == 3:
        if not 0 < len(masks) <= MAX_OBJECTS:
            raise ValueError(f"there must be 1 to {MAX_OBJECTS} masks, not {len(masks)}")
        labels = np.zeros(masks.shape[1:], np.uint8)
        for number in range(len(masks), 0, -1):
            labels[masks[number - 1]] = number
        return labels
    if masks.ndim != 2 or masks.dtype.kind not in "bui":
        raise ValueError("masks must be labels or bool, (height, width), or bool, (objects, "
                         f"height, width), not {masks.dtype}, {masks.shape}")
    if masks.size and not 0 <= masks.min() <= masks.max() <= 255:
        raise ValueError(f"labels must be 0 to 255, not {masks.min()} to {masks.max()}")
    return _by_rule(np.ascontiguousarray(masks, np.uint8))


def _by_rule(labels: Labels) -> Labels:
    """The rule for masks of docs/element.md. Soft edges are refused, because the caller has
    the array and can choose where to cut."""
    values = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    values = values[values > 0]
    high = values[values > MAX_OBJECTS]
    if not len(high):
        return labels
    if len(values) == 1:
        return np.minimum(labels, 1)
    if list(high) != [255]:
        some = ", ".join(map(str, high[:4])) + (" ..." if len(high) > 4 else "")
        raise ValueError(f"labels are 0 to {MAX_OBJECTS}, and have the values {some}. Of a "
                         "black and white picture of one object, give `mask > 127`")
    return np.where(labels == 255, 0, labels).astype(np.uint8)
