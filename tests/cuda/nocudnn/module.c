/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* module.c - a librvos-cuda.so whose cuDNN is missing. */
int cudnn_stub(void);
__attribute__((visibility("default"))) int rv_needs_cudnn(void);
int rv_needs_cudnn(void)
{
    return cudnn_stub();
}
