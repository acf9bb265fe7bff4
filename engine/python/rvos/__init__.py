# SPDX-License-Identifier: LGPL-2.1-or-later
"""Segment and follow the objects of a video.

    import rvos

    for frame, masks in rvos.segment("video.mp4"):
        for thing in masks:
            print(masks.time, thing.track_id, thing.box, masks.mask(thing).sum())

`segment` decodes the video (by PyAV), finds its objects and follows them. With masks of the
first frame it follows those: `rvos.segment("video.mp4", masks=labels)`.

For frames of your own there are the three handles of librvos. Each is a context manager:

    with rvos.Model() as model, model.stream(objects=3) as stream:
        for frame in frames:                    # uint8, (height, width, 3), RGB
            masks = stream.process(frame)       # masks.labels: uint8, (height, width)

A Device runs the work, a Model is weights on a device, a Stream is the state of one video.
Only one thread at a time may use a stream. Any number of threads may share a model, each
with a stream of its own. The GIL is released while the network runs.

A failure raises an rvos.Error with the library's message. Warnings of the library go to the
logger "rvos" of the module logging.
"""
from ._build import VERSION as __version__
from ._errors import (DeviceError, Error, FormatError, InvalidArgument, NotFound, OutOfMemory,
                      ReadError, Unsupported, WrongTask)
from ._handles import (Device, DeviceInfo, Model, ModelInfo, Stream, StreamInfo,
                       default_model, default_threads)
from ._masks import Masks, Object
from ._video import segment

__all__ = ["Device", "DeviceError", "DeviceInfo", "Error", "FormatError", "InvalidArgument",
           "Masks", "Model", "ModelInfo", "NotFound", "Object", "OutOfMemory", "ReadError",
           "Stream", "StreamInfo", "Unsupported", "WrongTask", "__version__",
           "default_model", "default_threads", "segment"]
