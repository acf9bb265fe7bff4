/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <stdio.h>
#include <string.h>

#include "utf8.h"

bool rv_json_bad(struct rv_json *q, const char *expected)
{
    if (q->p >= q->end) {
        snprintf(q->defect, sizeof q->defect, "the header ends where %s should be",
                 expected);
    } else {
        snprintf(q->defect, sizeof q->defect, "byte %td of the header should be %s",
                 q->p - q->start, expected);
    }
    return false;
}

void rv_json_skip_space(struct rv_json *q)
{
    while (q->p < q->end &&
           (*q->p == ' ' || *q->p == '\t' || *q->p == '\n' || *q->p == '\r'))
        q->p++;
}

bool rv_json_accept(struct rv_json *q, char c)
{
    rv_json_skip_space(q);
    if (q->p < q->end && *q->p == (uint8_t)c) {
        q->p++;
        return true;
    }
    return false;
}

bool rv_json_expect(struct rv_json *q, char c, const char *what)
{
    return rv_json_accept(q, c) || rv_json_bad(q, what);
}

bool rv_json_separator(struct rv_json *q, char close, bool *more)
{
    *more = rv_json_accept(q, ',');
    return *more || rv_json_accept(q, close) ||
           rv_json_bad(q, "a comma or the end of the list");
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    *to++ = (char)(0xf00u >> n | code >> 6 * (n - 1));
    for (int i = n - 2; i >= 0; i--)
        *to++ = (char)(0x80 | (code >> 6 * i & 0x3f));
    return to;
}

static bool hex4(struct rv_json *q, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, q->p++) {
        if (q->p >= q->end)
            return false;
        int c = *q->p, digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

/* Decodes what follows a backslash. Refuses NUL, which would end our strings. */
static bool escape(struct rv_json *q)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (q->p >= q->end)
        return false;
    uint8_t c = *q->p++;
    if (c != 'u') {
        const char *at = c ? strchr(from, c) : NULL;
        if (at)
            *q->text++ = to[at - from];
        return at;
    }
    uint32_t code, low;
    if (!hex4(q, &code) || !code || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (q->end - q->p < 2 || q->p[0] != '\\' || q->p[1] != 'u')
            return false;
        q->p += 2;
        if (!hex4(q, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    q->text = put_utf8(q->text, code);
    return true;
}

/* The decoded string is never longer than its source: the NUL takes the place of the
 * closing quote, and an escape of four hexadecimal digits (6 bytes) becomes at most 3
 * bytes. */
bool rv_json_string(struct rv_json *q, const char **out, const char *what)
{
    *out = NULL;
    if (!rv_json_accept(q, '"'))
        return rv_json_bad(q, what);
    char *text = q->text;
    while (q->p < q->end && *q->p != '"') {
        const uint8_t *at = q->p;
        if (*at == '\\') {
            q->p++;
            if (!escape(q)) {
                q->p = at;
                return rv_json_bad(q, "a valid escape sequence");
            }
            continue;
        }
        int n = *at < 0x20 ? 0 : rv_utf8_length(at, q->end);
        if (!n)
            return rv_json_bad(q, "valid UTF-8 text");
        memcpy(q->text, at, (size_t)n);
        q->text += n;
        q->p += n;
    }
    if (q->p >= q->end)
        return rv_json_bad(q, "the end of a string");
    q->p++;
    *q->text++ = '\0';
    *out = text;
    return true;
}

static bool number(struct rv_json *q, int64_t *out)
{
    rv_json_skip_space(q);
    const uint8_t *first = q->p;
    int64_t value = 0;
    for (; q->p < q->end && *q->p >= '0' && *q->p <= '9'; q->p++) {
        int digit = *q->p - '0';
        if (value > (INT64_MAX - digit) / 10) {
            q->p = first;
            return rv_json_bad(q, "a smaller number");
        }
        value = value * 10 + digit;
    }
    *out = value;
    if (q->p == first || (*first == '0' && q->p - first > 1)) {
        q->p = first;
        return rv_json_bad(q, "a whole number");
    }
    return true;
}

bool rv_json_numbers(struct rv_json *q, int64_t *out, int room, int *n, const char *what)
{
    bool more = true;
    *n = 0;
    if (!rv_json_expect(q, '[', what))
        return false;
    if (rv_json_accept(q, ']'))
        return true;
    while (more) {
        if (*n == room)
            return rv_json_bad(q, "the end of a list that is too long");
        if (!number(q, &out[(*n)++]) || !rv_json_separator(q, ']', &more))
            return false;
    }
    return true;
}
