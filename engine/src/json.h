/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h - the tokens of a .safetensors header: objects, strings, and lists of whole
 * numbers. The caller asks for the token that must come next, so no recursion is needed.
 * Functions return false and set `defect` if another token comes. */
#ifndef RV_JSON_H
#define RV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_json {
    const uint8_t *start, *p, *end;
    char *text;       /* the caller's buffer for strings, of end - start + 1 bytes */
    char defect[120]; /* in words, without quoting the text */
};

/* Returns false and sets the defect to say that `expected` should be here. */
bool rv_json_bad(struct rv_json *q, const char *expected);

void rv_json_skip_space(struct rv_json *q);

/* These skip space first. rv_json_accept takes the next character if it is c. */
bool rv_json_accept(struct rv_json *q, char c);
bool rv_json_expect(struct rv_json *q, char c, const char *what);

/* After an element of a list or object: sets *more if another one follows. */
bool rv_json_separator(struct rv_json *q, char close, bool *more);

/* *out points into q->text: valid UTF-8 without NUL inside, ended by NUL. */
bool rv_json_string(struct rv_json *q, const char **out, const char *what);

/* Reads [a, b, ...], each from 0 to INT64_MAX, at most `room` of them; *n is their
 * number. */
bool rv_json_numbers(struct rv_json *q, int64_t *out, int room, int *n, const char *what);

#endif /* RV_JSON_H */
