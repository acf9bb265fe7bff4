/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties_fuzz.c - checks that no text for a property crashes the element: the
 * palette, fractions, numbers, names of enums, paths.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target. Otherwise a program
 * of seeded texts: properties_fuzz [rounds [seed]].
 */
#include "fuzz.h"
#include "gstrvosseg.h"

/* GLib keeps all names in a table. When it makes a larger table, it keeps the old one for
 * readers in other threads, and LeakSanitizer reports that. To suppress the report by the
 * functions that called malloc, GLib's stack must be unwound slowly. The first table is
 * made when GLib is loaded. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:g_quark_from_\nleak:g_intern_\nleak:call_init\nleak:_dl_init";
}

/* A palette is davis, or 1 to 32 colours that repeat. */
static void check_palette(const gchar *text)
{
    rvos_palette palette;
    gboolean good = gst_rvos_palette_parse(text, &palette);
    guint colours = 1;

    if (palette.rgb[0][0] || palette.rgb[0][1] || palette.rgb[0][2])
        abort(); /* the background's */
    if (!good || strcmp(text, "davis") == 0)
        return;
    accepted++;
    for (const gchar *c = text; *c; c++)
        colours += *c == ',';
    if (colours > RVOS_MAX_OBJECTS)
        abort();
    for (guint slot = 1; slot + colours <= RVOS_MAX_OBJECTS; slot++)
        if (memcmp(palette.rgb[slot], palette.rgb[slot + colours], 3) != 0)
            abort();
}

static void set(GObject *element, GParamSpec *spec, const gchar *text)
{
    GValue value = G_VALUE_INIT;

    if (!(spec->flags & G_PARAM_WRITABLE) || spec->owner_type != GST_TYPE_RVOS_SEG)
        return;
    g_value_init(&value, spec->value_type);
    if (gst_value_deserialize(&value, text)) {
        g_object_set_property(element, spec->name, &value);
        g_object_get_property(element, spec->name, &value);
    }
    g_value_unset(&value);
    if (spec->value_type == G_TYPE_STRING) { /* as it is, without GStreamer's quoting */
        gchar *back = NULL;

        g_object_set(element, spec->name, text, NULL);
        g_object_get(element, spec->name, &back, NULL);
        g_free(back);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static GObject *element;
    static GParamSpec **specs;
    static guint n;
    gchar *text;

    if (!element) {
        gst_init(NULL, NULL);
        element = G_OBJECT(gst_object_ref_sink(g_object_new(GST_TYPE_RVOS_SEG, NULL)));
        specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &n);
    }
    if (size < 1)
        return 0;
    text = g_strndup((const gchar *)data + 1, size - 1);
    check_palette(text);
    if (g_utf8_validate(text, -1, NULL))
        set(element, specs[data[0] % n], text);
    g_free(text);
    return 0;
}

#ifndef RV_LIBFUZZER

int main(int argc, char **argv)
{
    static const char *const pieces[] = {
        "davis", "#ff0000",  "#00FF00", ",",   " ",          "#",    "#1234567", "/",
        "30/1",  "-1",       "0",       "1/0", "2147483648", "auto", "cpu",      "true",
        "%05d",  "\xc3\xa9", "\"",      "1e9", "(fraction)", "\\",   "nan",      "{",
    };
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    for (long i = 0; i < rounds; i++) {
        GString *text = g_string_new(NULL);

        g_string_append_c(text, (gchar)next(&seed));
        for (uint64_t k = next(&seed) % 8; k > 0; k--)
            g_string_append(text, pieces[next(&seed) % G_N_ELEMENTS(pieces)]);
        if (next(&seed) % 4 == 0 && text->len > 1)
            text->str[1 + next(&seed) % (text->len - 1)] = (gchar)next(&seed);
        LLVMFuzzerTestOneInput((const uint8_t *)text->str, text->len);
        g_string_free(text, TRUE);
    }
    printf("%ld texts, %ld of them palettes\n", rounds, accepted);
    return rounds && !accepted;
}

#endif
