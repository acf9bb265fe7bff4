/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rgb.c - reads pictures as RGB. Separate from the mask reader, which needs no
 * libjpeg. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

int source_read(struct picture *out, struct source *source, struct pic_error *error)
{
    struct raw raw = {.orientation = 1};
    int err;

    memset(out, 0, sizeof *out);
    switch (source_kind(source)) {
    case PIC_PNG:
        err = png_decode(&raw, source, true, error);
        break;
    case PIC_JPEG:
        err = jpeg_decode(&raw, source, error);
        break;
    case PIC_PNM:
        err = pnm_decode(&raw, source, true, error);
        break;
    default:
        err = pic_fail(error, PIC_WRONG, "is no PNG, JPEG, PPM or PGM picture");
    }
    if (err) {
        free(raw.pixels);
        return -1;
    }
    *out = (struct picture){raw.width, raw.height, 3, raw.pixels};
    if (!picture_turn(out, raw.orientation, error))
        return 0;
    picture_free(out);
    return -1;
}

int pic_read(struct picture *out, const char *path, struct pic_error *error)
{
    struct source source;
    int err;

    memset(out, 0, sizeof *out);
    if (source_open(&source, path, error))
        return -1;
    err = source_read(out, &source, error);
    fclose(source.in);
    return err;
}
