# SPDX-License-Identifier: LGPL-2.1-or-later
"""Device, Model and Stream: the handles of librvos."""
from __future__ import annotations

import dataclasses
import os
import threading
import weakref
from typing import Any, Iterable, Optional

import numpy as np
import numpy.typing as npt

from . import _build
from ._ffi import ffi
from ._library import Log, lib, logger, words
from ._masks import Masks, Object
from ._pixels import Frame, Labels, image_of, labels_of, pair_of, plain, size_of, view, whole

TASKS = {"zero-shot": lib.RVOS_TASK_ZERO_SHOT, "one-shot": lib.RVOS_TASK_ONE_SHOT,
         "auto": lib.RVOS_TASK_AUTO}
VARIANTS = {"spatio-temporal": lib.RVOS_VARIANT_SPATIO_TEMPORAL,
            "spatial": lib.RVOS_VARIANT_SPATIAL, "temporal": lib.RVOS_VARIANT_TEMPORAL}
PRECISIONS = {None: lib.RVOS_PRECISION_DEFAULT, "fp32": lib.RVOS_PRECISION_FP32,
              "tf32": lib.RVOS_PRECISION_TF32, "fp16": lib.RVOS_PRECISION_FP16,
              "bf16": lib.RVOS_PRECISION_BF16, "int16": lib.RVOS_PRECISION_INT16,
              "int8": lib.RVOS_PRECISION_INT8}


def default_threads() -> int:
    """The number of cores that the process may use; the default threads of a device."""
    return int(lib.rvos_default_threads())


def default_model() -> str:
    """The default model file: $RVOS_MODEL, else the model that came with this package, which
    is for research and evaluation only (ModelInfo.licence)."""
    given = os.environ.get("RVOS_MODEL")
    return given or os.path.join(os.path.dirname(os.path.abspath(__file__)), _build.MODEL)


def _choice(table: dict[Any, int], value: Any, what: str) -> int:
    if not isinstance(value, (str, type(None))) or value not in table:
        names = ", ".join(str(name) for name in table if name is not None)
        raise ValueError(f"{what} must be one of {names}, not {value!r}")
    return table[value]


def _close(function: Any, holder: Any, _log: Log) -> None:
    function(holder)


class _Handle:
    """An open handle of librvos. Closing it twice, or never, does no harm."""

    def __init__(self, log: Log, kind: str) -> None:
        self._log = log
        self._kind = kind
        self._holder = ffi.new(f"rvos_{kind} **")

    def _opened(self) -> None:
        # Keep the log until the handle is closed, because librvos calls it.
        self._finalizer = weakref.finalize(
            self, _close, getattr(lib, f"rvos_{self._kind}_close"), self._holder, self._log)

    def _open(self) -> Any:
        if self._holder[0] == ffi.NULL:
            raise ValueError(f"the {self._kind} is closed")
        return self._holder[0]

    @property
    def closed(self) -> bool:
        return bool(self._holder[0] == ffi.NULL)

    def close(self) -> None:
        """Frees the handle's resources. Handles that were opened from it keep working."""
        self._finalizer()

    def __exit__(self, *_: Any) -> None:
        self.close()


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    backend: str  #: "cpu", "cuda" or "reference"
    name: str  #: name of the processor
    library: str  #: such as "oneDNN 2.6.3"
    isa: str  #: such as "avx512_core"
    threads: int  #: threads that compute
    threads_refused: int  #: threads that the system did not start


class Device(_Handle):
    """A CPU or CUDA device.

    backend: "cpu", "cuda" or "reference" (plain C, slow); None: librvos chooses.
    index: number of the CUDA device. threads: CPU threads; 0: default_threads().
    """

    def __init__(self, backend: Optional[str] = None, *, index: int = 0, threads: int = 0) -> None:
        super().__init__(Log(), "device")
        if backend is not None and (not isinstance(backend, str) or "\0" in backend):
            raise ValueError(f"backend must be cpu, cuda or reference, not {backend!r}")
        name = ffi.NULL if backend is None else ffi.new("char[]", backend.encode())
        params = ffi.new("rvos_device_params *", {
            "backend": name, "index": whole(index, "index"),
            "threads": whole(threads, "threads"), "log": self._log.callback})
        self._log.call(lib.rvos_device_open, self._holder, params)
        self._opened()

    def __enter__(self) -> Device:
        return self

    @property
    def info(self) -> DeviceInfo:
        info = ffi.new("rvos_device_info *")
        lib.rvos_device_get_info(self._open(), info)
        return DeviceInfo(words(info.backend), words(info.name), words(info.library),
                          words(info.isa), info.threads, info.threads_refused)


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    path: str
    encoder: str  #: such as "resnet18"
    licence: str  #: licence of the weights; "" if the file does not say
    provenance: str  #: origin of the weights; "" if the file does not say
    tasks: tuple[str, ...]  #: of "zero-shot", "one-shot" and "auto"
    width: int  #: network size
    height: int
    objects: int  #: slots it was trained with; default of a stream
    parameters: int
    weights_bytes: int  #: on the device, so far
    max_batch: int  #: most streams in one pass
    frames: int  #: of all streams so far
    passes: int  #: for these frames


class Model(_Handle):
    """One file of weights on one device, for any number of streams.

    path: a .safetensors file; None: default_model(). device: None: a new device.
    size: network size (width, height); None: the file's.
    precision: "fp32", "tf32", "fp16", "bf16", "int16" or "int8"; None: the device's.
    max_batch, batch_wait: most streams in one pass, and the seconds that a frame waits for
    others.
    """

    def __init__(self, path: Any = None, *, device: Optional[Device] = None,
                 size: Optional[tuple[int, int]] = None, precision: Optional[str] = None,
                 max_batch: int = 0, batch_wait: float = 0.0) -> None:
        if not 0 <= batch_wait <= 2000:
            raise ValueError(f"batch_wait must be 0 to 2000 seconds, not {batch_wait!r}")
        if device is not None and not isinstance(device, Device):
            raise TypeError('device must be an rvos.Device, such as rvos.Device("cpu"), not '
                            f"{device!r}")
        params = ffi.new("rvos_model_params *", {
            "max_batch": whole(max_batch, "max_batch"), "batch_wait_us": round(batch_wait * 1e6),
            "precision": _choice(PRECISIONS, precision, "precision")})
        if size is not None:
            params.width, params.height = pair_of(size, "width, height")
        self.path = os.fsdecode(path) if path is not None else default_model()
        if "\0" in self.path:  # C would end the path there
            raise ValueError("a path has no byte 0")
        self.device = device or Device()
        super().__init__(self.device._log, "model")
        self._log.call(lib.rvos_model_load, self._holder, self.device._open(),
                       os.fsencode(self.path), params)
        self._opened()

    def __enter__(self) -> Model:
        return self

    @property
    def info(self) -> ModelInfo:
        c = ffi.new("rvos_model_info *")
        lib.rvos_model_get_info(self._open(), c)
        return ModelInfo(self.path, words(c.encoder), words(c.licence), words(c.provenance),
                         tuple(name for name, bit in TASKS.items() if c.tasks & bit), c.width,
                         c.height, c.objects, c.parameters, c.weights_bytes, c.max_batch,
                         c.frames, c.passes)

    def stream(self, task: Optional[str] = None, *, objects: int = 0, all_slots: bool = False,
               discovery_interval: int = 0, variant: str = "spatio-temporal") -> Stream:
        """A stream for one video. See Stream."""
        return Stream(self, task, objects=objects, all_slots=all_slots,
                      discovery_interval=discovery_interval, variant=variant)


@dataclasses.dataclass(frozen=True)
class StreamInfo:
    task: str
    objects: int  #: slots
    live: int  #: slots that the last frame ran or showed
    discovering: bool  #: auto: the last frame searched for new objects
    frames: int  #: that the network has run since the last reset
    state_bytes: int  #: of recurrent state on the device
    batch: int  #: streams in the pass of the last frame


class Stream(_Handle):
    """One video. Its methods may be called from any thread, and take turns.

    task: "auto" finds objects by itself, then follows each, and those of `seed`;
    "zero-shot" finds them in each frame anew; "one-shot" follows those of `seed` alone.
    None: auto, or what the model can.
    objects: most of them at a time, 1 to 32; 0: the model's own. Each costs time.
    discovery_interval: auto: frames between two searches for new objects; 0: 15;
    negative: only at the beginning and after discover().
    all_slots, variant: as in rvos.h.
    """

    def __init__(self, model: Model, task: Optional[str] = None, *, objects: int = 0,
                 all_slots: bool = False, discovery_interval: int = 0,
                 variant: str = "spatio-temporal") -> None:
        super().__init__(model._log, "stream")
        self.model = model
        self._lock = threading.RLock()
        self._index = 0
        self._seeded: set[tuple[int, ...]] = set()  # shapes of masks for the next frame
        self._told_shape = False
        if task is None and "auto" in model.info.tasks:
            task = "auto"
        params = ffi.new("rvos_stream_params *", {
            "task": lib.RVOS_TASK_DEFAULT if task is None else _choice(TASKS, task, "task"),
            "variant": _choice(VARIANTS, variant, "variant"),
            "objects": whole(objects, "objects"), "all_slots": bool(all_slots),
            "discovery_interval": whole(discovery_interval, "discovery_interval")})
        self._log.call(lib.rvos_stream_open, self._holder, model._open(), params)
        self._opened()
        self._slots = self.info.objects

    def __enter__(self) -> Stream:
        return self

    def close(self) -> None:
        with self._lock:
            super().close()

    def _call(self, function: Any, *args: Any) -> None:
        with self._lock:
            self._log.call(function, self._open(), *args)

    @property
    def info(self) -> StreamInfo:
        with self._lock:
            c = ffi.new("rvos_stream_info *")
            lib.rvos_stream_get_info(self._open(), c)
            task = next(name for name, bit in TASKS.items() if bit == c.task)
            return StreamInfo(task, c.objects, c.live, c.discovering, c.frames, c.state_bytes,
                              c.batch)

    def process(self, frame: Frame, *, format: Optional[str] = None,
                matrix: Optional[str] = None, full_range: bool = False,
                size: Optional[tuple[int, int]] = None, labels: Optional[Labels] = None,
                alpha: bool = False, threshold: float = 0.0, min_object_size: int = 0,
                hidden: Iterable[int] = ()) -> Masks:
        """Segments the next frame. Other threads of Python go on meanwhile.

        frame: uint8, (height, width, 3) RGB, (height, width, 4) RGBA, or (height, width)
        grey; or what `format` says: "bgr", "bgrx" ..., or a tuple of planes for "i420",
        "nv12", "y444", "p010" ...; or a frame of PyAV; or a picture of PIL with 8 bits a
        sample. An array is read in place, unless its strides forbid that: pixels must be
        dense in a row, and rows must come from top to bottom. A view [..., ::-1] that turns
        BGR into RGB is read in place, too.
        matrix, full_range: of formats with luma: "bt601", "bt709" or "bt2020" (None: by the
        frame's height), and luma 0 to 255 instead of 16 to 235.
        size: (height, width) of the labels; None: that of `labels`, else the frame's.
        labels: an array for them, uint8, that may be written, instead of a new one.
        alpha: make Masks.alpha as well.
        threshold: least probability of an object's pixel; 0: 0.5.
        min_object_size: objects of fewer pixels of the labels are left out.
        hidden: ids of objects that are left out, and followed all the same.
        """
        frame = plain(frame)
        image = image_of(frame, format, matrix, full_range)
        shape = None if size is None else pair_of(size, "height, width")
        if labels is None:
            labels = np.empty(shape or size_of(frame), np.uint8)
        out_labels = view(labels, "labels", written=True)
        if shape is not None and shape != labels.shape:
            raise ValueError(f"labels are {labels.shape}, but size is {shape}: give one of them")
        soft = np.empty(labels.shape, np.uint8) if alpha else None
        out_alpha = ffi.NULL if soft is None else view(soft, "alpha", written=True)
        out = ffi.new("rvos_output *", {
            "labels": out_labels, "alpha": out_alpha, "threshold": threshold,
            "min_object_size": whole(min_object_size, "min_object_size"),
            "hidden": _bits(hidden)})
        with self._lock:
            self._call(lib.rvos_stream_process, image.c, out)
            self._check_shapes(image.c.width, image.c.height)
            objects = self._objects()
            index, self._index = self._index, self._index + 1
        return Masks(labels, soft, objects, self.model.device, index)

    def _objects(self) -> tuple[Object, ...]:
        c = ffi.new("rvos_object *")
        found = []
        for slot in range(1, self._slots + 1):
            lib.rvos_stream_get_object(self._holder[0], slot, c)
            if c.present:
                found.append(Object(slot, c.serial or slot, (c.x, c.y, c.width, c.height),
                                    c.area, c.score))
        return tuple(found)

    def seed(self, masks: Any, ids: Optional[Iterable[int]] = None) -> None:
        """Gives the stream the masks of its objects in the next frame.

        masks: labels (height, width), integers, 0 for background; or bool, (height, width)
        for object 1, or (objects, height, width). Any size; a mask of another aspect ratio
        than the frame's is stretched, with a warning. Labels of 0 and one value above
        32, such as 255, are object 1.
        ids: the objects to set; an object without a pixel becomes empty. None: all.
        """
        labels = labels_of(masks)
        self._check_above(labels)
        slots = 0xFFFFFFFF if ids is None else _bits(ids)  # RVOS_ALL_SLOTS
        with self._lock:
            self._call(lib.rvos_stream_seed, view(labels, "masks"), slots)
            self._seeded.add(labels.shape)

    def _check_shapes(self, width: int, height: int) -> None:
        """Warns once of masks whose aspect ratio is not that of their frame."""
        for rows, columns in self._seeded:
            ratio = columns * height / (rows * width)
            if not self._told_shape and not 1 / 1.02 < ratio < 1.02:  # sizes are rounded
                self._told_shape = True
                logger.warning("a mask of %dx%d is stretched to frames of %dx%d, which have "
                               "another aspect ratio", columns, rows, width, height)
        self._seeded.clear()

    def _check_above(self, labels: Labels) -> None:
        """An error if all objects are above the slots, else a warning of those that are."""
        given = np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[1:]) + 1
        above = ", ".join(str(i) for i in given if i > self._slots)
        if above and given[0] > self._slots:
            raise ValueError(f"the masks show object {above}, and the stream has {self._slots} "
                             "slots: open it with more objects")
        if above:
            logger.warning("object %s of the masks is ignored: the stream has %d slots", above,
                           self._slots)

    def seed_box(self, id: int, box: tuple[float, float, float, float]) -> None:
        """auto: says that this box of the next frame has an object. x, y, width and height are
        fractions of the frame's size, 0 to 1."""
        if np.shape(box) != (4,):
            raise ValueError(f"a box is (x, y, width, height), not {box!r}")
        if max(np.abs(box)) > 4:  # a detector's box may reach out of the frame a little
            raise ValueError("a box is in fractions of the frame's width and height, not in "
                             f"pixels: {tuple(box)}")
        self._call(lib.rvos_stream_seed_box, whole(id, "an object's id"),
                   ffi.new("rvos_box *", tuple(box)))

    def drop(self, id: int) -> None:
        """Forgets one object."""
        self._call(lib.rvos_stream_drop, whole(id, "an object's id"))

    def discover(self) -> None:
        """auto: searches for objects from the next frame on."""
        self._call(lib.rvos_stream_discover)

    def reset(self) -> None:
        """Forgets the video so far and pending seeds. Call it after a seek or a cut."""
        with self._lock:
            lib.rvos_stream_reset(self._open())
            self._index = 0
            self._seeded.clear()

    def warm_up(self) -> None:
        """Runs the network once without a frame, so that the first frame is not slower."""
        self._call(lib.rvos_stream_warm_up)

    def probabilities(self, id: int) -> npt.NDArray[np.float32]:
        """The last frame's probabilities of one object: float32, (height, width) of the
        network."""
        info = self.model.info
        out = np.empty((info.height, info.width), np.float32)
        self._call(lib.rvos_stream_read_mask, whole(id, "an object's id"),
                   ffi.cast("float *", out.ctypes.data))
        return out


def _bits(ids: Iterable[int]) -> int:
    bits = 0
    for given in ids:
        number = whole(given, "an object's id")
        if not 1 <= number <= lib.RVOS_MAX_OBJECTS:
            raise ValueError(f"an object's id is 1 to {lib.RVOS_MAX_OBJECTS}, not {number}")
        bits |= 1 << (number - 1)
    return bits
