/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which needs it */
#include <string.h>

#include <jpeglib.h>

/* libjpeg ends the program on an error unless its hook does not return. */
struct trap {
    struct jpeg_error_mgr base; /* first: libjpeg hands us its address */
    jmp_buf back;
    char words[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr jpeg)
{
    struct trap *trap = (struct trap *)jpeg->err;

    jpeg->err->format_message(jpeg, trap->words);
    longjmp(trap->back, 1);
}

/* There is nothing to jump back for but a lack of memory. */
static int guarded_write(struct jpeg_compress_struct *jpeg, struct trap *trap,
                         unsigned char **out, unsigned long *size,
                         const struct picture *picture, int quality)
{
    if (setjmp(trap->back))
        return -1;
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, out, size);
    jpeg->image_width = (JDIMENSION)picture->width;
    jpeg->image_height = (JDIMENSION)picture->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row =
            picture->pixels + (size_t)jpeg->next_scanline * (size_t)picture->width * 3;

        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return 0;
}

int jpeg_encode(unsigned char **out, unsigned long *size, const struct picture *picture,
                int quality)
{
    struct jpeg_compress_struct jpeg;
    struct trap trap;
    int err;

    *out = NULL;
    *size = 0;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&trap.base);
    trap.base.error_exit = on_error;
    err = guarded_write(&jpeg, &trap, out, size, picture, quality);
    jpeg_destroy_compress(&jpeg);
    return err;
}
