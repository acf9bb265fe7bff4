/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h - the tokens of a .safetensors header: objects, strings, and lists of whole
 * numbers. The caller knows what must come next, so that no recursion is needed.
 * Functions return false, with `defect` set, where something else comes. */
#ifndef RV_JSON_H
#define RV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_json {
    const uint8_t *start, *p, *end;
    char *text; /* where the next string goes: the caller's, of end - start + 1 bytes */
    char defect[120]; /* in words, without quoting the text */
};

/* false, with the defect that `expected` should be here. */
bool rv_json_bad(struct rv_json *q, const char *expected);

void rv_json_skip_space(struct rv_json *q);

/* All skip the space before. accept: is the next character c? Then takes it. */
bool rv_json_accept(struct rv_json *q, char c);
bool rv_json_expect(struct rv_json *q, char c, const char *what);

/* Behind an element of a list or object: is there one more, or its end? */
bool rv_json_separator(struct rv_json *q, char close, bool *more);

/* *out lies in q->text: checked UTF-8 without NUL inside, and NUL at its end. */
bool rv_json_string(struct rv_json *q, const char **out, const char *what);

/* [a, b, ...], each from 0 to INT64_MAX, at most `room` of them; *n is how many. */
bool rv_json_numbers(struct rv_json *q, int64_t *out, int room, int *n, const char *what);

#endif /* RV_JSON_H */
