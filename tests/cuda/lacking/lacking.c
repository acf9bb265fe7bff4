/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lacking.c - a librvos-cuda.so that needs a missing library, as if cuDNN were not
 * installed. This file makes both. */
int rv_nowhere(void);
const void *rv_backend_cuda(int abi);

#ifdef NOWHERE
int rv_nowhere(void)
{
    return 1;
}
#else
const void *rv_backend_cuda(int abi)
{
    static const int something;

    return rv_nowhere() == abi ? &something : (const void *)0;
}
#endif
