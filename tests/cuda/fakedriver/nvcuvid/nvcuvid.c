/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nvcuvid.c - a fake of NVIDIA's decoder library. It decodes nothing, but without it
 * GStreamer's plugin nvcodec has no cudaupload. */
#define ABSENT(name)                                                                     \
    __attribute__((visibility("default"))) int name(void);                               \
    int name(void)                                                                       \
    {                                                                                    \
        return 801; /* CUDA_ERROR_NOT_SUPPORTED */                                       \
    }

ABSENT(cuvidCreateDecoder)
ABSENT(cuvidCreateVideoParser)
ABSENT(cuvidCtxLock)
ABSENT(cuvidCtxLockCreate)
ABSENT(cuvidCtxLockDestroy)
ABSENT(cuvidCtxUnlock)
ABSENT(cuvidDecodePicture)
ABSENT(cuvidDestroyDecoder)
ABSENT(cuvidDestroyVideoParser)
ABSENT(cuvidMapVideoFrame64)
ABSENT(cuvidParseVideoData)
ABSENT(cuvidUnmapVideoFrame64)

/* Leaves all values zero, which means that there is no such decoder. */
__attribute__((visibility("default"))) int cuvidGetDecoderCaps(void *caps);
int cuvidGetDecoderCaps(void *caps)
{
    (void)caps;
    return 0;
}
