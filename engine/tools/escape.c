/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Decodes the character at `text` and returns its length in bytes; 0: invalid UTF-8. */
static int decode(const unsigned char *text, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    int n = text[0] < 0x80       ? 1
            : text[0] >> 5 == 6  ? 2
            : text[0] >> 4 == 14 ? 3
            : text[0] >> 3 == 30 ? 4
                                 : 0;

    *code = n == 1 ? text[0] : n ? text[0] & (0x7fu >> n) : 0;
    for (int i = 1; i < n; i++) {
        if (text[i] >> 6 != 2) /* the final NUL, too */
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    if (n && (*code < least[n] || *code > 0x10ffff || (*code >> 11) == 0x1b))
        return 0;
    return n;
}

static bool is_plain(uint32_t code)
{
    static const uint32_t invisible[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},      /* control characters */
        {0x61c, 0x61c},   {0x200e, 0x200f},  /* direction marks */
        {0x2028, 0x202e}, {0x2066, 0x2069},  /* line ends, directions */
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb},  /* byte order mark, annotations */
        {0xfffe, 0xffff}, {0xe0000, 0xe0fff} /* no characters, invisible tags */
    };

    for (size_t i = 0; i < sizeof invisible / sizeof *invisible; i++)
        if (code >= invisible[i][0] && code <= invisible[i][1])
            return false;
    return true;
}

int escape_plain(const char *text)
{
    uint32_t code;
    int n = decode((const unsigned char *)text, &code);

    return n && is_plain(code) ? n : 0;
}

/* Writes one character to `to`, at most 11 bytes; returns how many it took of `from`. */
static int one(char *to, const char *from)
{
    const unsigned char *bytes = (const unsigned char *)from;
    uint32_t code;
    int n = decode(bytes, &code);

    if (n && is_plain(code)) {
        memcpy(to, from, (size_t)n);
        to[n] = 0;
        return n;
    }
    if (n < 2 || code < 0x100) { /* an invalid byte, or a character below U+0100 */
        sprintf(to, "\\x%02x", n > 1 ? (unsigned)code : bytes[0]);
        return n ? n : 1;
    }
    sprintf(to, "\\u%04x", (unsigned)code);
    return n;
}

char *escape_text(char *out, size_t room, const char *text)
{
    static const char more[] = "...";
    size_t used = 0, safe = 0; /* safe: up to here "..." still fits */
    char next[16];

    if (!room)
        return out;
    while (*text) {
        size_t n;

        text += one(next, text);
        n = strlen(next);
        if (used + n >= room) { /* no room for it and the NUL */
            if (room >= sizeof more)
                memcpy(out + safe, more, sizeof more);
            else
                out[0] = 0;
            return out;
        }
        memcpy(out + used, next, n);
        used += n;
        if (used + sizeof more <= room)
            safe = used;
    }
    out[used] = 0;
    return out;
}
