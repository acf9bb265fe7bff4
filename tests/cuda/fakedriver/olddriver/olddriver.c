/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* olddriver.c - a libcuda.so.1 that lacks what was added since. */
#define OLD(name)                                                                        \
    __attribute__((visibility("default"))) int name(void);                               \
    int name(void)                                                                       \
    {                                                                                    \
        return 0;                                                                        \
    }

OLD(cuInit)
OLD(cuDriverGetVersion)
