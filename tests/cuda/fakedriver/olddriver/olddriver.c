/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* olddriver.c - an old libcuda.so.1, which lacks newer functions. */
#define OLD(name)                                                                        \
    __attribute__((visibility("default"))) int name(void);                               \
    int name(void)                                                                       \
    {                                                                                    \
        return 0;                                                                        \
    }

OLD(cuInit)
OLD(cuDriverGetVersion)
