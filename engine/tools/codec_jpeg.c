/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which needs it */
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

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

/* What ends early is filled up with grey by libjpeg: for us an error. Other
 * warnings (stray bytes) leave a good picture. */
static void on_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;

    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
        on_error(jpeg);
}

static int guarded_read(struct jpeg_decompress_struct *jpeg, struct trap *trap, FILE *in,
                        const char *path, struct picture *out, struct fault *fault)
{
    size_t stride;
    int err;

    if (setjmp(trap->back))
        return fault_set(fault, TOOL_INPUT, path,
                         "is a damaged or unusual JPEG file (%s): get it again or "
                         "convert it to PNG",
                         trap->words);
    jpeg_create_decompress(jpeg);
    jpeg_stdio_src(jpeg, in);
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = JCS_RGB;
    jpeg_start_decompress(jpeg);
    err = picture_alloc(out, (int)jpeg->output_width, (int)jpeg->output_height,
                        jpeg->output_components, path, fault);
    if (err)
        return err;
    stride = (size_t)jpeg->output_width * (size_t)jpeg->output_components;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = out->pixels + stride * jpeg->output_scanline;

        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return 0;
}

int jpeg_decode(struct picture *out, FILE *in, const char *path, struct fault *fault)
{
    struct jpeg_decompress_struct jpeg;
    struct trap trap;
    int err;

    memset(out, 0, sizeof *out);
    memset(&jpeg, 0, sizeof jpeg); /* so that it may be destroyed at any point */
    jpeg.err = jpeg_std_error(&trap.base);
    trap.base.error_exit = on_error;
    trap.base.emit_message = on_message;
    err = guarded_read(&jpeg, &trap, in, path, out, fault);
    jpeg_destroy_decompress(&jpeg);
    if (err)
        picture_free(out);
    return err;
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
    trap.base.emit_message = on_message;
    err = guarded_write(&jpeg, &trap, out, size, picture, quality);
    jpeg_destroy_compress(&jpeg);
    return err;
}
