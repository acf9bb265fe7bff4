/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c - opens picture files, and checks the limits. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pic_fail(struct pic_error *error, enum pic_status status, const char *format, ...)
{
    va_list args;

    error->status = status;
    va_start(args, format);
    vsnprintf(error->words, sizeof error->words, format, args);
    va_end(args);
    return -1;
}

void picture_free(struct picture *picture)
{
    free(picture->pixels);
    memset(picture, 0, sizeof *picture);
}

/* O_NONBLOCK, because a FIFO without a writer would block open(). */
int source_open(struct source *source, const char *path, struct pic_error *error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    *source = (struct source){NULL, PICTURE_MAX_PIXELS};
    if (fd < 0)
        return pic_fail(
            error, errno == ENOENT || errno == ENOTDIR ? PIC_NOT_FOUND : PIC_NOT_READ,
            "cannot be read: %s", strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return pic_fail(error, PIC_NOT_READ, "is %s, not the file of a picture",
                        S_ISDIR(st.st_mode) ? "a folder" : "a device or a pipe");
    }
    if (st.st_size == 0) {
        close(fd);
        return pic_fail(error, PIC_WRONG, "is empty: get it again");
    }
    source->in = fdopen(fd, "rb");
    if (source->in)
        return 0;
    close(fd);
    return pic_fail(error, PIC_NO_MEMORY, "cannot be read: %s", strerror(ENOMEM));
}

enum pic_kind source_kind(struct source *source)
{
    static const unsigned char png_magic[8] = {0x89, 'P',  'N',  'G',
                                               '\r', '\n', 0x1a, '\n'};
    unsigned char head[8] = {0};
    size_t n = fread(head, 1, sizeof head, source->in);

    rewind(source->in);
    if (n == sizeof head && !memcmp(head, png_magic, sizeof head))
        return PIC_PNG;
    if (n > 2 && head[0] == 0xff && head[1] == 0xd8)
        return PIC_JPEG;
    if (n > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
        strchr(" \t\r\n\v\f#", head[2]) && head[2])
        return PIC_PNM;
    return PIC_UNKNOWN;
}

int source_check(const struct source *source, size_t width, size_t height, size_t pixel,
                 struct pic_error *error)
{
    size_t max_pixels = source->max_pixels;

    if (width < 1 || height < 1 || width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE)
        return pic_fail(error, PIC_WRONG, "%zux%zu is no size from 1x1 to %dx%d", width,
                        height, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
    if (width * height > max_pixels || width * height > PICTURE_MAX_BYTES / pixel)
        return pic_fail(error, PIC_WRONG,
                        "%zux%zu is too large: no more than %zu million pixels are read",
                        width, height,
                        (PICTURE_MAX_BYTES / pixel < max_pixels
                             ? PICTURE_MAX_BYTES / pixel
                             : max_pixels) /
                            1000000);
    return 0;
}

int raw_alloc(struct raw *raw, const struct source *source, size_t width, size_t height,
              int channels, int bytes, struct pic_error *error)
{
    size_t pixel = (size_t)channels * (size_t)bytes;

    if (source_check(source, width, height, pixel, error))
        return -1;
    raw->width = (int)width;
    raw->height = (int)height;
    raw->channels = channels;
    raw->bytes = bytes;
    raw->pixels = malloc(width * height * pixel);
    if (raw->pixels)
        return 0;
    return pic_fail(error, PIC_NO_MEMORY, "needs more memory than there is (%zux%zu)",
                    width, height);
}

int pic_alloc(struct picture *picture, int width, int height, int channels,
              struct pic_error *error)
{
    struct raw raw = {0};
    int err;

    memset(picture, 0, sizeof *picture);
    err = raw_alloc(&raw, &(struct source){NULL, PICTURE_MAX_PIXELS},
                    width > 0 ? (size_t)width : 0, height > 0 ? (size_t)height : 0,
                    channels, 1, error);
    if (!err)
        *picture = (struct picture){width, height, channels, raw.pixels};
    return err;
}
