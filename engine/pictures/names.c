/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.c - file-name patterns of numbered masks. */
#include "reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of "%d", "%5d" or "%05d"; 0: not an integer conversion. */
static size_t parse_conversion(const char *p, unsigned *digits, bool *zeros)
{
    const char *start = p++;

    *zeros = *p == '0';
    *digits = 0;
    while (is_digit(*p) && *digits < 100)
        *digits = *digits * 10 + (unsigned)(*p++ - '0');
    if ((*p != 'd' && *p != 'i' && *p != 'u') || *digits > 20)
        return 0;
    return (size_t)(p + 1 - start);
}

void mask_pattern_free(struct mask_pattern *pattern)
{
    free(pattern->folder);
    free(pattern->prefix);
    free(pattern->suffix);
    memset(pattern, 0, sizeof *pattern);
}

static int refuse_pattern(struct mask_pattern *pattern, struct pic_error *error)
{
    mask_pattern_free(pattern);
    return pic_fail(error, PIC_WRONG,
                    "does not exist, and is no pattern: exactly one %%d or %%05d in the "
                    "file's name is wanted, and %%%% for a per cent sign");
}

static int parse_name(struct mask_pattern *pattern, const char *name)
{
    char *part = pattern->prefix;
    unsigned conversions = 0;

    while (*name) {
        size_t length;

        if (name[0] != '%' || name[1] == '%') {
            name += name[0] == '%';
            *part++ = *name++;
            continue;
        }
        length = parse_conversion(name, &pattern->digits, &pattern->zeros);
        if (length == 0 || conversions++ > 0)
            return -1;
        *part = 0;
        part = pattern->suffix;
        name += length;
    }
    *part = 0;
    return conversions == 1 ? 0 : -1;
}

int mask_pattern_parse(struct mask_pattern *pattern, const char *path,
                       struct pic_error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t folder = slash ? (size_t)(slash - path) : 0;

    *pattern = (struct mask_pattern){malloc(folder + 2), calloc(1, strlen(name) + 1),
                                     calloc(1, strlen(name) + 1)};
    if (!pattern->folder || !pattern->prefix || !pattern->suffix) {
        mask_pattern_free(pattern);
        return pic_fail(error, PIC_NO_MEMORY, "needs more memory than there is");
    }
    if (parse_name(pattern, name))
        return refuse_pattern(pattern, error);
    if (slash && folder == 0)
        folder = 1; /* the file is in the root folder */
    memcpy(pattern->folder, slash ? path : ".", slash ? folder : 1);
    pattern->folder[slash ? folder : 1] = 0;
    return 0;
}

bool mask_pattern_match(const struct mask_pattern *pattern, const char *name,
                        uint64_t *number)
{
    size_t length = strlen(name), prefix = strlen(pattern->prefix);
    size_t suffix = strlen(pattern->suffix), digits;
    char again[32];

    if (length <= prefix + suffix || length - prefix - suffix >= sizeof again ||
        memcmp(name, pattern->prefix, prefix) != 0 ||
        strcmp(name + length - suffix, pattern->suffix) != 0)
        return false;
    digits = length - prefix - suffix;
    *number = strtoull(name + prefix, NULL, 10); /* skips the blanks that %5d makes */
    snprintf(again, sizeof again, pattern->zeros ? "%0*" PRIu64 : "%*" PRIu64,
             (int)pattern->digits, *number);
    return strlen(again) == digits && memcmp(again, name + prefix, digits) == 0;
}
