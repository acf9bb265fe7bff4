/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors.c - read the header, check every bound, read tensors. */
#include "safetensors.h"
#include "f16.h"
#include "file.h"
#include "json.h"
#include "rvos.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER ((uint64_t)16 << 20)
#define MAX_DIMS 8

struct meta {
    const char *key, *value;
};

struct rv_st {
    struct rv_file file;
    char *text;                  /* all strings, decoded; never longer than the header */
    struct rv_st_tensor *tensor; /* sorted by name */
    int n_tensors, tensor_room;
    struct meta *meta; /* sorted by key */
    int n_meta, meta_room;
};

struct parser {
    struct rv_json json;
    uint64_t data, data_size; /* tensor data in the file: offset and bytes */
    struct rv_st *st;
    const char *path;
    char *err;
    size_t err_size;
};

/* Writes a one-line message, whatever bytes the path and the names contain. */
static int fail(char *err, size_t err_size, int status, const char *path,
                const char *format, ...)
{
    if (!err_size)
        return status;
    int n = snprintf(err, err_size, "%s: ", path);
    if (n >= 0 && (size_t)n < err_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(err + n, err_size - (size_t)n, format, args);
        va_end(args);
    }
    for (char *c = err; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return status;
}

#define BAD(q, ...) fail((q)->err, (q)->err_size, RVOS_ERR_FORMAT, (q)->path, __VA_ARGS__)

static int bad_json(struct parser *q)
{
    return BAD(q, "%s", q->json.defect);
}

/* ---- the header ---------------------------------------------- */

/* Makes room for one more element. */
static void *grow(void *list, int n, int *room, size_t size)
{
    if (n < *room)
        return list;
    int larger = *room ? *room * 2 : 256; /* a header of 16 MiB cannot overflow it */
    void *moved = realloc(list, (size_t)larger * size);
    if (moved)
        *room = larger;
    return moved;
}

static int no_memory(struct parser *q)
{
    return fail(q->err, q->err_size, RVOS_ERR_MEMORY, q->path, "out of memory");
}

static int metadata(struct parser *q)
{
    struct rv_st *st = q->st;
    struct rv_json *json = &q->json;
    bool more = true;
    if (!rv_json_expect(json, '{', "the metadata object"))
        return bad_json(q);
    if (rv_json_accept(json, '}'))
        return 0;
    while (more) {
        struct meta *list = grow(st->meta, st->n_meta, &st->meta_room, sizeof *list);
        if (!list)
            return no_memory(q);
        st->meta = list;
        struct meta *m = &list[st->n_meta];
        if (!rv_json_string(json, &m->key, "the name of a metadata string") ||
            !rv_json_expect(json, ':', "a colon") ||
            !rv_json_string(json, &m->value, "a metadata string") ||
            !rv_json_separator(json, '}', &more))
            return bad_json(q);
        st->n_meta++;
    }
    return 0;
}

static enum rv_type type_of(const char *name)
{
    static const struct {
        const char *name;
        enum rv_type type;
    } known[] = {{"F32", RV_F32}, {"F16", RV_F16}, {"BF16", RV_BF16},
                 {"I64", RV_I64}, {"U8", RV_U8},   {"I8", RV_S8}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name))
            return known[i].type;
    return RV_OTHER;
}

/* Checks the shape against the bytes, and the bytes against the file. */
static int check_tensor(struct parser *q, struct rv_st_tensor *t, const char *dtype,
                        const int64_t range[2])
{
    if (range[0] > range[1] || (uint64_t)range[1] > q->data_size) {
        return BAD(q,
                   "tensor \"%.99s\" lies in bytes %" PRId64 " to %" PRId64
                   " of the data, which has %" PRIu64,
                   t->name, range[0], range[1], q->data_size);
    }
    t->at = q->data + (uint64_t)range[0];
    t->bytes = (size_t)(range[1] - range[0]);
    t->count = 1;
    for (int i = 0; i < t->ndim; i++) {
        if (t->dim[i] && t->count > INT64_MAX / t->dim[i])
            return BAD(q, "tensor \"%.99s\" has too large a shape", t->name);
        t->count *= t->dim[i];
    }
    t->type = type_of(dtype);
    int64_t size = (int64_t)rv_type_bytes(t->type);
    if (t->type != RV_OTHER &&
        (t->count > INT64_MAX / size || (uint64_t)(t->count * size) != t->bytes)) {
        return BAD(
            q,
            "tensor \"%.99s\" has %zu bytes, which is not what its shape and type %s "
            "ask for",
            t->name, t->bytes, dtype);
    }
    return 0;
}

/* The description of one tensor; ndim and n_range are -1 until read. */
struct description {
    const char *dtype;
    int64_t dim[MAX_DIMS], range[2];
    int ndim, n_range;
};

/* {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, in any order. */
static int description(struct parser *q, const char *name, struct description *d)
{
    struct rv_json *json = &q->json;
    const char *key;
    bool more = true;
    *d = (struct description){.ndim = -1, .n_range = -1};
    if (!rv_json_expect(json, '{', "the description of a tensor"))
        return bad_json(q);
    while (more) {
        bool good;
        if (!rv_json_string(json, &key, "\"dtype\", \"shape\" or \"data_offsets\"") ||
            !rv_json_expect(json, ':', "a colon"))
            return bad_json(q);
        if (!strcmp(key, "dtype") && !d->dtype) {
            good = rv_json_string(json, &d->dtype, "the name of a type");
        } else if (!strcmp(key, "shape") && d->ndim < 0) {
            good = rv_json_numbers(json, d->dim, MAX_DIMS, &d->ndim, "a list of sizes");
        } else if (!strcmp(key, "data_offsets") && d->n_range < 0) {
            good = rv_json_numbers(json, d->range, 2, &d->n_range, "a list of offsets");
        } else {
            return BAD(q, "tensor \"%.99s\": unknown or repeated key \"%.99s\"", name,
                       key);
        }
        if (!good || !rv_json_separator(json, '}', &more))
            return bad_json(q);
    }
    if (!d->dtype || d->ndim < 0 || d->n_range != 2)
        return BAD(q, "tensor \"%.99s\" lacks its type, shape or two offsets", name);
    return 0;
}

static int tensor(struct parser *q, const char *name)
{
    struct rv_st *st = q->st;
    struct description d;
    int status = description(q, name, &d);
    if (status)
        return status;
    struct rv_st_tensor *list =
        grow(st->tensor, st->n_tensors, &st->tensor_room, sizeof *list);
    if (!list)
        return no_memory(q);
    st->tensor = list;
    struct rv_st_tensor *t = &list[st->n_tensors];
    *t = (struct rv_st_tensor){.name = name, .ndim = d.ndim};
    memcpy(t->dim, d.dim, sizeof d.dim);
    status = check_tensor(q, t, d.dtype, d.range);
    st->n_tensors += !status;
    return status;
}

static int header(struct parser *q)
{
    struct rv_json *json = &q->json;
    bool more = true, seen_metadata = false;
    const char *name;
    int status;
    /* The format requires the brace to be the first byte. */
    if (json->p < json->end && *json->p != '{')
        return BAD(q, "the header does not start with a brace: no .safetensors file");
    if (!rv_json_expect(json, '{', "a brace"))
        return bad_json(q);
    if (rv_json_accept(json, '}'))
        more = false;
    while (more) {
        if (!rv_json_string(json, &name, "the name of a tensor") ||
            !rv_json_expect(json, ':', "a colon"))
            return bad_json(q);
        if (strcmp(name, "__metadata__")) {
            status = tensor(q, name);
        } else if (seen_metadata) {
            status = BAD(q, "there are two __metadata__ objects");
        } else {
            seen_metadata = true;
            status = metadata(q);
        }
        if (status)
            return status;
        if (!rv_json_separator(json, '}', &more))
            return bad_json(q);
    }
    rv_json_skip_space(json);
    if (json->p < json->end) {
        rv_json_bad(json, "padding");
        return bad_json(q);
    }
    return 0;
}

/* ---- the file as a whole ------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct rv_st_tensor *s = a, *t = b;
    return strcmp(s->name, t->name);
}

static int by_key(const void *a, const void *b)
{
    const struct meta *s = a, *t = b;
    return strcmp(s->key, t->key);
}

/* Empty tensors sort before the tensor at the same offset. */
static int by_place(const void *a, const void *b)
{
    const struct rv_st_tensor *s = a, *t = b;
    if (s->at != t->at)
        return s->at < t->at ? -1 : 1;
    return s->bytes < t->bytes ? -1 : s->bytes > t->bytes;
}

/* Sorts, and checks the tensors together: they must fill the data without overlap or
 * hole. */
static int check_whole(struct parser *q)
{
    struct rv_st *st = q->st;
    uint64_t at = q->data;
    if (st->n_tensors)
        qsort(st->tensor, (size_t)st->n_tensors, sizeof *st->tensor, by_place);
    for (int i = 0; i < st->n_tensors; i++) {
        const struct rv_st_tensor *t = &st->tensor[i];
        if (t->at != at) {
            return BAD(q, "tensor \"%.99s\" %s", t->name,
                       t->at < at ? "overlaps another one"
                                  : "has unused bytes before it");
        }
        at += t->bytes;
    }
    if (at != q->data + q->data_size)
        return BAD(q, "%" PRIu64 " unused bytes at the end", q->data + q->data_size - at);
    if (st->n_tensors)
        qsort(st->tensor, (size_t)st->n_tensors, sizeof *st->tensor, by_name);
    if (st->n_meta)
        qsort(st->meta, (size_t)st->n_meta, sizeof *st->meta, by_key);
    for (int i = 1; i < st->n_tensors; i++)
        if (!by_name(&st->tensor[i - 1], &st->tensor[i]))
            return BAD(q, "two tensors are named \"%.99s\"", st->tensor[i].name);
    for (int i = 1; i < st->n_meta; i++)
        if (!by_key(&st->meta[i - 1], &st->meta[i]))
            return BAD(q, "two metadata strings are named \"%.99s\"", st->meta[i].key);
    return 0;
}

/* Explains what a file is that is not a .safetensors file, if its kind is known. */
static int explain_start(struct parser *q, uint64_t length)
{
    const struct rv_file *file = &q->st->file;
    uint8_t start[RV_FILE_START];
    size_t n = file->size < sizeof start ? (size_t)file->size : sizeof start;
    const char *why = "cannot be read", *mistaken;
    if (rv_file_read(file, 0, n, start, &why))
        return fail(q->err, q->err_size, RVOS_ERR_IO, q->path, "%s", why);
    mistaken = rv_file_mistaken(start, n);
    if (mistaken)
        return BAD(q, "%s", mistaken);
    if (n < 8)
        return BAD(q, "wrong size: no .safetensors file");
    if (length > file->size - 8) {
        return BAD(q,
                   "its header claims %" PRIu64 " bytes, more than the file has: "
                   "truncated, or no .safetensors file",
                   length);
    }
    return BAD(q, "its header is larger than %" PRIu64 " bytes", MAX_HEADER);
}

static int read_header(struct parser *q, uint8_t **header)
{
    const struct rv_file *file = &q->st->file;
    const char *why = "cannot be read";
    uint8_t first[8];
    uint64_t length = 0;
    *header = NULL;
    if (file->size < 8)
        return explain_start(q, 0);
    if (rv_file_read(file, 0, 8, first, &why))
        return fail(q->err, q->err_size, RVOS_ERR_IO, q->path, "%s", why);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | first[i];
    if (length > file->size - 8 || length > MAX_HEADER)
        return explain_start(q, length);
    *header = malloc((size_t)length + 1);
    q->st->text = malloc((size_t)length + 1);
    if (!*header || !q->st->text)
        return no_memory(q);
    if (rv_file_read(file, 8, (size_t)length, *header, &why))
        return fail(q->err, q->err_size, RVOS_ERR_IO, q->path, "%s", why);
    q->json.start = q->json.p = *header;
    q->json.end = *header + length;
    q->json.text = q->st->text;
    q->data = 8 + length;
    q->data_size = file->size - q->data;
    return 0;
}

static int parse(struct rv_st *st, const char *path, char *err, size_t err_size)
{
    struct parser q = {.st = st, .path = path, .err = err, .err_size = err_size};
    uint8_t *bytes;
    int status = read_header(&q, &bytes);
    if (!status)
        status = header(&q);
    if (!status)
        status = check_whole(&q);
    free(bytes);
    return status;
}

int rv_st_open(struct rv_st **out, const char *path, char *err, size_t err_size)
{
    char why[200] = "";
    *out = NULL;
    if (err_size)
        *err = '\0';
    struct rv_st *st = calloc(1, sizeof *st);
    if (!st)
        return fail(err, err_size, RVOS_ERR_MEMORY, path, "out of memory");
    int status = rv_file_open(&st->file, path, why, sizeof why);
    if (status)
        fail(err, err_size, status, path, "%s", why);
    else
        status = parse(st, path, err, err_size);
    if (status)
        rv_st_close(&st);
    *out = st;
    return status;
}

void rv_st_close(struct rv_st **st)
{
    if (!*st)
        return;
    rv_file_close(&(*st)->file);
    free((*st)->text);
    free((*st)->tensor);
    free((*st)->meta);
    free(*st);
    *st = NULL;
}

const struct rv_st_tensor *rv_st_find(const struct rv_st *st, const char *name)
{
    const struct rv_st_tensor key = {.name = name};
    return !st->n_tensors
               ? NULL
               : bsearch(&key, st->tensor, (size_t)st->n_tensors, sizeof key, by_name);
}

const char *rv_st_meta(const struct rv_st *st, const char *key)
{
    const struct meta wanted = {.key = key};
    const struct meta *found = NULL;
    if (st->n_meta)
        found = bsearch(&wanted, st->meta, (size_t)st->n_meta, sizeof wanted, by_key);
    return found ? found->value : NULL;
}

int rv_st_count(const struct rv_st *st)
{
    return st->n_tensors;
}

const struct rv_st_tensor *rv_st_get(const struct rv_st *st, int i)
{
    return i >= 0 && i < st->n_tensors ? &st->tensor[i] : NULL;
}

/* ---- numbers ------------------------------------------------------------ */

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int rv_st_read(const struct rv_st *st, const struct rv_st_tensor *t, size_t from,
               size_t n, void *out, const char **why)
{
    if (from > t->bytes || n > t->bytes - from)
        return RVOS_ERR_ARGUMENT;
    return rv_file_read(&st->file, t->at + from, n, out, why);
}

void rv_st_floats(enum rv_type type, const uint8_t *p, size_t n, float *out)
{
    if (type == RV_F16)
        for (size_t i = 0; i < n; i++)
            out[i] = rv_f16_value(load16(p + 2 * i));
    else if (type == RV_BF16)
        for (size_t i = 0; i < n; i++)
            out[i] = float_of((uint32_t)load16(p + 2 * i) << 16);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = float_of((uint32_t)load16(p + 4 * i) |
                              (uint32_t)load16(p + 4 * i + 2) << 16);
}

int rv_st_read_f32(const struct rv_st *st, const struct rv_st_tensor *t, int64_t from,
                   int64_t n, float *out, const char **why)
{
    size_t size = rv_type_bytes(t->type);
    if (from < 0 || n < 0 || from > t->count || n > t->count - from || t->type > RV_BF16)
        return RVOS_ERR_ARGUMENT;
    /* Read the bytes into the end of `out`, so that writing floats from the start never
     * overwrites unread bytes. */
    uint8_t *bytes = (uint8_t *)out + (size_t)n * (4 - size);
    int status = rv_st_read(st, t, (size_t)from * size, (size_t)n * size, bytes, why);
    if (!status)
        rv_st_floats(t->type, bytes, (size_t)n, out);
    return status;
}
