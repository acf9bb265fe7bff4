/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* absent.c - what gst-cuda insists on finding in libcuda, and nothing here calls. Apart
 * from fakecuda.c, as it does not know their types. */
#include "fakecuda.h"

#define NOT_SUPPORTED 801 /* CUDA_ERROR_NOT_SUPPORTED */
#define ABSENT(name)                                                                     \
    FAKECUDA int name(void);                                                             \
    int name(void)                                                                       \
    {                                                                                    \
        return NOT_SUPPORTED;                                                            \
    }

ABSENT(cuGLGetDevices_v2)
ABSENT(cuGraphicsGLRegisterBuffer)
ABSENT(cuGraphicsGLRegisterImage)
ABSENT(cuGraphicsMapResources)
ABSENT(cuGraphicsResourceGetMappedPointer_v2)
ABSENT(cuGraphicsResourceSetMapFlags_v2)
ABSENT(cuGraphicsSubResourceGetMappedArray)
ABSENT(cuGraphicsUnmapResources)
ABSENT(cuGraphicsUnregisterResource)
ABSENT(cuLaunchKernel)
ABSENT(cuModuleGetFunction)
ABSENT(cuModuleLoadData)
ABSENT(cuModuleUnload)
ABSENT(cuTexObjectCreate)
ABSENT(cuTexObjectDestroy)
