/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utf8.h - shared by the reader of model files and the log. Inline, because log.c is also
 * part of librvos-cuda. */
#ifndef RV_UTF8_H
#define RV_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at p, 0 if it is none (overlong, surrogate...). */
static inline int rv_utf8_length(const uint8_t *p, const uint8_t *end)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    int n = p[0] < 0x80       ? 1
            : p[0] >> 5 == 6  ? 2
            : p[0] >> 4 == 14 ? 3
            : p[0] >> 3 == 30 ? 4
                              : 0;
    if (n < 2)
        return n;
    if (end - p < n)
        return 0;
    uint32_t code = p[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool good = code >= least[n] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return good ? n : 0;
}

#endif
