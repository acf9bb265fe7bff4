/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frames.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <png.h>

#include "folders.h"
#include "output.h"

/* ---- pictures ----------------------------------------------------------- */

int picture_fault(const struct pic_error *error, const char *path, struct fault *fault)
{
    enum tool_exit code = error->status == PIC_NO_MEMORY ? TOOL_ENGINE : TOOL_INPUT;

    return fault_set(fault, code, path, "%s", error->words);
}

int picture_alloc(struct picture *picture, int width, int height, int channels,
                  const char *path, struct fault *fault)
{
    struct pic_error error;

    if (!pic_alloc(picture, width, height, channels, &error))
        return 0;
    return picture_fault(&error, path, fault);
}

int picture_read(struct picture *out, const char *path, struct fault *fault)
{
    struct pic_error error;

    if (!pic_read(out, path, &error))
        return 0;
    return picture_fault(&error, path, fault);
}

static struct mask_rules rules_of(enum mask_kind kind)
{
    struct mask_rules rules = {MASK_MAX_SLOT, MASK_MAX_NUMBER, false};

    if (kind == MASK_GUESS)
        rules.single = MASK_MAX_NUMBER;
    rules.published = kind == MASK_INDEX || kind == MASK_BINARY;
    return rules;
}

int mask_read_raw(struct picture *out, const char *path, enum mask_kind kind,
                  struct mask_facts *facts, struct fault *fault)
{
    struct mask_rules rules = rules_of(kind);
    struct mask_facts mine;
    struct pic_error error;
    size_t n;

    if (pic_read_mask(out, path, &rules, facts ? facts : &mine, &error))
        return picture_fault(&error, path, fault);
    n = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < n && kind == MASK_BINARY; i++)
        out->pixels[i] = out->pixels[i] != 0;
    return 0;
}

int mask_read(struct picture *out, const char *path, enum mask_kind kind,
              struct fault *fault)
{
    int err = mask_read_raw(out, path, kind, NULL, fault);
    size_t n = err ? 0 : (size_t)out->width * (size_t)out->height;
    uint8_t *at = out->pixels, *end = n ? at + n : NULL;

    while (n && (at = memchr(at, MASK_IGNORE, (size_t)(end - at))))
        *at++ = 0;
    return err;
}

int mask_write(const char *path, const uint8_t *labels, int width, int height,
               struct fault *fault)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = PNG_FORMAT_RGB_COLORMAP,
                       .colormap_entries = 256};
    uint8_t colours[256][3];
    struct output out;
    int err = output_open(&out, path, fault);

    if (err)
        return err;
    for (int i = 0; i < 256; i++)
        davis_colour(i, colours[i]);
    errno = 0;
    if (png_image_write_to_stdio(&image, out.file, 0, labels, 0, colours))
        return output_commit(&out, false, fault);
    if (errno && ferror(out.file)) /* libpng gives no reason */
        err = output_failed(path, fault);
    else
        err = fault_set(fault, TOOL_OUTPUT, path, "cannot be written: %s", image.message);
    output_discard(&out);
    return err;
}

/* ---- folders ------------------------------------------------------------ */

/* Runs of digits compare as numbers; if equal, the shorter run comes first. */
static int natural_order(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            size_t zeros_a = strspn(a, "0"), zeros_b = strspn(b, "0");
            size_t n_a = strspn(a + zeros_a, "0123456789");
            size_t n_b = strspn(b + zeros_b, "0123456789");
            int d = n_a != n_b ? (n_a < n_b ? -1 : 1)
                               : strncmp(a + zeros_a, b + zeros_b, n_a);

            if (!d && zeros_a != zeros_b)
                d = zeros_a < zeros_b ? -1 : 1;
            if (d)
                return d;
            a += zeros_a + n_a;
            b += zeros_b + n_b;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int by_stem(const void *a, const void *b)
{
    const struct frame_file *x = a, *y = b;
    int d = natural_order(x->stem, y->stem);

    return d ? d : strcmp(x->path, y->path);
}

static const char *picture_extension(const char *name)
{
    static const char *const known[] = {".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".pnm"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot > name && i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(dot, known[i]))
            return dot;
    return NULL;
}

bool picture_is_named(const char *name)
{
    return picture_extension(name) != NULL;
}

static int add_file(struct frame_list *list, const char *folder, const char *name)
{
    const char *dot = picture_extension(name);
    struct frame_file *grown;

    if (!dot || name[0] == '.')
        return 0;
    grown = realloc(list->file, sizeof *grown * (size_t)(list->count + 1));
    if (!grown)
        return -1;
    list->file = grown;
    grown[list->count] = (struct frame_file){
        text_format("%s/%s", folder, name), text_format("%.*s", (int)(dot - name), name)};
    list->count++;
    return grown[list->count - 1].path && grown[list->count - 1].stem ? 0 : -1;
}

int frames_list(struct frame_list *out, const char *folder, struct fault *fault)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int err = 0;

    memset(out, 0, sizeof *out);
    if (!dir)
        return fault_set(fault, TOOL_INPUT, folder, "%s%s", strerror(errno),
                         errno == ENOTDIR ? ": give the folder of the frames" : "");
    while (!err && (entry = readdir(dir)))
        err = add_file(out, folder, entry->d_name);
    closedir(dir);
    if (err) {
        frames_free(out);
        return fault_set(fault, TOOL_ENGINE, folder, "out of memory");
    }
    if (out->count)
        qsort(out->file, (size_t)out->count, sizeof *out->file, by_stem);
    for (int i = 1; i < out->count && !err; i++)
        if (!strcmp(out->file[i].stem, out->file[i - 1].stem))
            err = fault_set(fault, TOOL_INPUT, out->file[i].path,
                            "and %s are one frame twice: keep one kind of picture "
                            "in a folder",
                            out->file[i - 1].path);
    if (!out->count)
        err = fault_set(fault, TOOL_INPUT, folder,
                        "holds no picture (.png, .jpg, .ppm, .pgm)");
    if (err)
        frames_free(out);
    return err;
}

void frames_free(struct frame_list *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->file[i].path);
        free(list->file[i].stem);
    }
    free(list->file);
    memset(list, 0, sizeof *list);
}

int frames_find(const struct frame_list *list, const char *stem)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->file[i].stem, stem))
            return i;
    return -1;
}
