/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvostext.h"

#include <pango/pangocairo.h>
#include <string.h>

#include "gstrvosframe.h"
#include "gstrvosprops.h"
#include "gstrvosshape.h"

#define FONT "Sans Bold"
#define LINES 32      /* the frame's height in lines of text */
#define LEAST_SIZE 11 /* font size in pixels; smaller letters cannot be read */
#define MOST_SIZE 96
#define MOST_EMS 24 /* longer words end in an ellipsis */

/* rvos_draw paints labels in the colours of a palette, so a tag is an image of labels: 1
 * is the plate, LEVELS the letters, and those between are their smooth edges. */
#define LEVELS 16

/* What a tag is made for; compared as bytes, so without padding. */
typedef struct {
    guint64 id;
    GQuark label;
    guint what;
    gint frame_width, frame_height;
} Key;

typedef struct {
    Key key;
    gint width, height; /* even; 0: no text */
    gsize room;         /* bytes allocated at `levels` */
    guint8 *levels;     /* width x height */
} Tag;

G_STATIC_ASSERT(sizeof(Key) == 24);

struct _GstRvosText {
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
    Tag tag[RVOS_MAX_OBJECTS];
};

GstRvosText *gst_rvos_text_new(void)
{
    GstRvosText *text = g_new0(GstRvosText, 1);
    PangoRectangle unused;

    /* A font map of its own: Pango's default one is bound to the thread. */
    text->fonts = pango_cairo_font_map_new();
    text->context = pango_font_map_create_context(text->fonts);
    text->layout = pango_layout_new(text->context);
    pango_layout_set_single_paragraph_mode(text->layout, TRUE);
    pango_layout_set_ellipsize(text->layout, PANGO_ELLIPSIZE_END);
    pango_layout_set_text(text->layout, "0", -1);
    pango_layout_get_pixel_extents(text->layout, NULL, &unused); /* loads the font */
    return text;
}

void gst_rvos_text_free(GstRvosText *text)
{
    if (!text)
        return;
    for (guint i = 0; i < RVOS_MAX_OBJECTS; i++)
        g_free(text->tag[i].levels);
    g_object_unref(text->layout);
    g_object_unref(text->context);
    g_object_unref(text->fonts);
    g_free(text);
}

/* ---- the tag's image -------------------------------------------------------------- */

/* The text, to be freed; empty if there is none. */
static gchar *words_of(const GstRvosObject *object, guint what)
{
    GString *words = g_string_new(NULL);

    if (what & GST_RVOS_SEG_OVERLAY_TEXT_LABEL && object->label)
        g_string_append(words, g_quark_to_string(object->label));
    if (what & GST_RVOS_SEG_OVERLAY_TEXT_ID)
        g_string_append_printf(words, "%s%" G_GUINT64_FORMAT, words->len ? " " : "",
                               object->tracking_id);
    return g_string_free(words, FALSE);
}

static gint even(gint size)
{
    return size + (size & 1);
}

/* Sets the font and the text; returns the margin around it in pixels. */
static gint lay_out(PangoLayout *layout, const gchar *words, gint frame_height)
{
    gint size = CLAMP(frame_height / LINES, LEAST_SIZE, MOST_SIZE);
    PangoFontDescription *font = pango_font_description_from_string(FONT);

    pango_font_description_set_absolute_size(font, (gdouble)size * PANGO_SCALE);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(layout, size * MOST_EMS * PANGO_SCALE);
    pango_layout_set_text(layout, words, -1);
    return MAX(size / 5, 2);
}

/* Converts the letters' coverage of each pixel to labels. */
static void to_levels(Tag *tag, cairo_surface_t *surface)
{
    const guint8 *from = cairo_image_surface_get_data(surface);
    gint stride = cairo_image_surface_get_stride(surface);

    for (gint y = 0; y < tag->height; y++)
        for (gint x = 0; x < tag->width; x++)
            tag->levels[y * tag->width + x] =
                (guint8)(1 + (from[y * stride + x] * (LEVELS - 1) + 127) / 255);
}

/* Draws the letters on a Cairo surface of one byte per pixel. FALSE: out of memory. */
static gboolean paint(Tag *tag, PangoLayout *layout, gint margin)
{
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_A8, tag->width, tag->height);
    cairo_t *cairo = cairo_create(surface);
    gboolean good;

    cairo_move_to(cairo, margin, margin);
    pango_cairo_show_layout(cairo, layout);
    good = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    if (good)
        to_levels(tag, surface);
    cairo_surface_destroy(surface);
    return good;
}

static void make(GstRvosText *text, Tag *tag, const GstRvosObject *object)
{
    g_autofree gchar *words = words_of(object, tag->key.what);
    PangoRectangle extents;
    gint margin;
    gsize size;

    tag->width = tag->height = 0;
    if (*words) {
        margin = lay_out(text->layout, words, tag->key.frame_height);
        pango_layout_get_pixel_extents(text->layout, NULL, &extents);
        tag->width = even(extents.width + 2 * margin);
        tag->height = even(extents.height + 2 * margin);
        size = (gsize)tag->width * (gsize)tag->height;
        if (size > tag->room) {
            tag->levels = g_realloc(tag->levels, size);
            tag->room = size;
        }
        if (!paint(tag, text->layout, margin))
            tag->width = tag->height = 0;
    }
}

static const Tag *tag_of(GstRvosText *text, const GstRvosObject *object,
                         const GstVideoFrame *frame, guint what)
{
    Tag *tag = &text->tag[object->slot - 1];
    Key key = {object->tracking_id, object->label, what, GST_VIDEO_FRAME_WIDTH(frame),
               GST_VIDEO_FRAME_HEIGHT(frame)};

    if (memcmp(&tag->key, &key, sizeof(key)) != 0) {
        tag->key = key;
        make(text, tag, object);
    }
    return tag;
}

/* ---- drawing ---------------------------------------------------------------------- */

/* Luminance of the plate, 0 to 1, above which black letters are easier to read than white
 * ones. Samples count as square roots of light. */
#define BRIGHT 0.2

/* Makes the shades from the plate's colour to black or white. */
static void shades(rvos_palette *out, const guint8 plate[3])
{
    gint light = 2126 * plate[0] * plate[0] + 7152 * plate[1] * plate[1] +
                 722 * plate[2] * plate[2];
    gint letters = light < BRIGHT * 255 * 255 * 10000 ? 255 : 0;

    *out = (rvos_palette){0};
    for (gint level = 0; level < LEVELS; level++)
        for (guint c = 0; c < 3; c++)
            out->rgb[level + 1][c] =
                (guint8)(plate[c] + (letters - plate[c]) * level / (LEVELS - 1));
}

/* Places the tag above the box at its corner, or below the upper edge if the frame's edge
 * is too near. Coordinates are even, for chroma. A part outside the frame is cut off. */
static void place(const Tag *tag, const rvos_object *seen, const GstVideoFrame *frame,
                  gint *x, gint *y)
{
    gint right = MAX(GST_VIDEO_FRAME_WIDTH(frame) - tag->width, 0);
    gint lowest = MAX(GST_VIDEO_FRAME_HEIGHT(frame) - tag->height, 0);

    *x = CLAMP(seen->x, 0, right) & ~1;
    *y = seen->y >= tag->height ? seen->y - tag->height : seen->y;
    *y = CLAMP(*y, 0, lowest) & ~1;
}

static gint draw_tag(const Tag *tag, rvos_device *device, const GstVideoFrame *frame,
                     const rvos_object *seen, const guint8 colour[3])
{
    GstVideoFrame part = *frame;
    rvos_labels labels = {.data = tag->levels, .stride = tag->width};
    rvos_palette palette;
    rvos_draw_params params = {.palette = &palette, .opacity = 1};
    rvos_image image;
    gint x, y;

    place(tag, seen, frame, &x, &y);
    labels.width = MIN(tag->width, GST_VIDEO_FRAME_WIDTH(frame) - x);
    labels.height = MIN(tag->height, GST_VIDEO_FRAME_HEIGHT(frame) - y);
    if (!gst_rvos_shape_part(&part, (guint)x, (guint)y, (guint)labels.width,
                             (guint)labels.height) ||
        !gst_rvos_frame_to_image(&part, RVOS_MEMORY_HOST, &image))
        return RVOS_OK;
    shades(&palette, colour);
    return rvos_draw(device, &image, &labels, &params);
}

gint gst_rvos_text_draw(GstRvosText *text, rvos_device *device,
                        const GstVideoFrame *frame, const GstRvosResult *result,
                        const rvos_palette *palette, guint what)
{
    gint status = RVOS_OK;

    for (guint i = 0; i < result->n && status == RVOS_OK; i++) {
        const GstRvosObject *object = &result->object[i];
        const Tag *tag = tag_of(text, object, frame, what);

        if (tag->width > 0)
            status =
                draw_tag(tag, device, frame, &object->seen, palette->rgb[object->slot]);
    }
    return status;
}
