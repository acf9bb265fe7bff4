/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json_file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "folders.h"

#define JSON_MOST ((size_t)512 << 20) /* bytes; YouTube-VOS has 40 MB */

/* Set if jansson has run out of memory, so that callers need not check each call. */
static atomic_bool short_of_memory;

static void *get_memory(size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        atomic_store(&short_of_memory, true);
    return memory;
}

void json_begin(void)
{
    json_set_alloc_funcs(get_memory, free);
}

int json_read(json_t **root, const char *path, const char *wanted, struct fault *fault)
{
    json_error_t error;
    size_t size, mark;
    char *text;
    int err = file_read(&text, &size, path, JSON_MOST, fault);

    *root = NULL;
    if (err)
        return err;
    mark = !strncmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    *root = json_loadb(text + mark, size - mark, 0, &error);
    free(text);
    if (*root)
        return 0;
    if (atomic_load(&short_of_memory))
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    return fault_set(fault, TOOL_INPUT, path, "%s (line %d): give %s", error.text,
                     error.line, wanted);
}

json_t *json_name(const char *text)
{
    char escaped[4 * ESCAPE_ROOM];
    json_t *string = json_string(text);

    return string ? string : json_string(escape_text(escaped, sizeof escaped, text));
}

int json_check(const char *path, const json_t *root, struct fault *fault)
{
    return root && !atomic_load(&short_of_memory)
               ? 0
               : fault_set(fault, TOOL_ENGINE, path, "out of memory");
}

int json_write(const char *path, const json_t *root, size_t digits, struct fault *fault)
{
    size_t how = JSON_INDENT(1) | JSON_REAL_PRECISION(digits) | JSON_ENSURE_ASCII;
    char *text = root ? json_dumps(root, how) : NULL;
    char *lines = text ? text_format("%s\n", text) : NULL;
    int err = json_check(path, lines ? root : NULL, fault);

    if (!err)
        err = file_write(path, lines, strlen(lines), fault);

    free(lines);
    free(text);
    return err;
}
