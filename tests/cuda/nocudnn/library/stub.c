/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stub.c - a library that the module beside it is linked to, and one does not find. */
__attribute__((visibility("default"))) int cudnn_stub(void);
int cudnn_stub(void)
{
    return 0;
}
