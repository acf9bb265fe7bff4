/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jpeg.c - decodes JPEG with libjpeg, within limits. */
#include "reader.h"

#include <setjmp.h>
#include <string.h>

#include <jpeglib.h> /* after stdio.h, which it needs */
#include <jerror.h>

/* A scan needs few bytes in the file but a pass over the whole picture. Encoders make
 * about ten. */
#define MAX_SCANS 100

#define EXIF_BYTES 65533

/* After an error libjpeg exits the process unless its error hook does not return. */
struct trap {
    struct jpeg_error_mgr base; /* must be first: libjpeg passes us its address */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    int orientation;
    char words[JMSG_LENGTH_MAX];
    uint8_t exif[EXIF_BYTES];
};

static void on_error(j_common_ptr jpeg)
{
    struct trap *trap = (struct trap *)jpeg->err;

    jpeg->err->format_message(jpeg, trap->words);
    longjmp(trap->back, 1);
}

/* libjpeg fills a truncated picture with grey; we treat that as an error. Other warnings
 * (stray bytes) leave a good picture. */
static void on_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;

    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
        on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    struct trap *trap = (struct trap *)jpeg->err;

    if (((j_decompress_ptr)jpeg)->input_scan_number <= MAX_SCANS)
        return;
    snprintf(trap->words, sizeof trap->words, "more than %d scans", MAX_SCANS);
    longjmp(trap->back, 1);
}

static int next_byte(j_decompress_ptr jpeg)
{
    struct jpeg_source_mgr *src = jpeg->src;

    if (src->bytes_in_buffer == 0)
        src->fill_input_buffer(jpeg); /* a file never makes this wait */
    src->bytes_in_buffer--;
    return *src->next_input_byte++;
}

/* We do not use jpeg_save_markers, which keeps any number of markers in memory. */
static boolean on_app1(j_decompress_ptr jpeg)
{
    static const uint8_t head[6] = "Exif\0";
    struct trap *trap = (struct trap *)jpeg->err;
    int length = next_byte(jpeg) << 8;
    size_t n;

    length |= next_byte(jpeg);
    n = length > 2 ? (size_t)length - 2 : 0;
    for (size_t i = 0; i < n; i++)
        trap->exif[i] = (uint8_t)next_byte(jpeg);
    if (trap->orientation == 1 && n > sizeof head &&
        !memcmp(trap->exif, head, sizeof head))
        trap->orientation = exif_orientation(trap->exif + sizeof head, n - sizeof head);
    return TRUE;
}

/* For a file with several scans the decoder keeps all coefficients in memory. */
static int check_decoder(const struct jpeg_decompress_struct *jpeg,
                         struct pic_error *error)
{
    size_t bytes = 0;

    for (int i = 0; i < jpeg->num_components; i++)
        bytes += (size_t)jpeg->comp_info[i].width_in_blocks *
                 jpeg->comp_info[i].height_in_blocks * sizeof(JBLOCK);
    if (!jpeg->progressive_mode && jpeg->comps_in_scan == jpeg->num_components)
        return 0;
    if (bytes <= PICTURE_MAX_BYTES)
        return 0;
    return pic_fail(error, PIC_WRONG,
                    "%ux%u is too large for a progressive JPEG: convert it to PNG",
                    jpeg->image_width, jpeg->image_height);
}

static int guarded_read(struct jpeg_decompress_struct *jpeg, struct trap *trap,
                        struct raw *raw, const struct source *source,
                        struct pic_error *error)
{
    size_t stride;

    if (setjmp(trap->back))
        return pic_fail(error, PIC_WRONG,
                        "is a damaged or unusual JPEG file (%s): get it again or "
                        "convert it to PNG",
                        trap->words);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &trap->progress;
    jpeg_set_marker_processor(jpeg, JPEG_APP0 + 1, on_app1);
    jpeg_stdio_src(jpeg, source->in);
    jpeg_read_header(jpeg, TRUE);
    if (raw_alloc(raw, source, jpeg->image_width, jpeg->image_height, 3, 1, error) ||
        check_decoder(jpeg, error))
        return -1;
    jpeg->out_color_space = JCS_RGB;
    jpeg_start_decompress(jpeg);
    stride = (size_t)raw->width * 3;
    if (jpeg->output_width != jpeg->image_width ||
        jpeg->output_height != jpeg->image_height || jpeg->output_components != 3)
        return pic_fail(error, PIC_WRONG, "is an unusual JPEG file: convert it to PNG");
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = raw->pixels + stride * jpeg->output_scanline;

        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    raw->orientation = trap->orientation;
    return 0;
}

int jpeg_decode(struct raw *raw, const struct source *source, struct pic_error *error)
{
    struct jpeg_decompress_struct jpeg;
    struct trap trap;
    int err;

    memset(&jpeg, 0, sizeof jpeg); /* so that it may be destroyed at any point */
    trap.orientation = 1;
    trap.progress = (struct jpeg_progress_mgr){.progress_monitor = on_progress};
    jpeg.err = jpeg_std_error(&trap.base);
    trap.base.error_exit = on_error;
    trap.base.emit_message = on_message;
    err = guarded_read(&jpeg, &trap, raw, source, error);
    jpeg_destroy_decompress(&jpeg);
    return err;
}
