/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask.c - the meaning of a mask's values. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

/* ---- the rule -------------------------------------------------------------- */

/* The number of pixels with values between 0 and white, and whether some of these values
 * are too high for object numbers. */
struct between {
    uint64_t pixels;
    bool high;     /* above rules->highest */
    bool unlikely; /* above the highest slot */
    bool numbers;
};

static struct between look_between(const uint32_t *count, unsigned white,
                                   const struct mask_rules *rules)
{
    struct between b = {0};

    for (unsigned v = 1; v < white; v++)
        if (count[v]) {
            b.pixels += count[v];
            b.numbers = b.numbers || v <= rules->highest;
            b.high = b.high || v > rules->highest;
            b.unlikely = b.unlikely || v > MASK_MAX_SLOT;
        }
    return b;
}

enum mask_meaning mask_rule(const uint32_t *count, unsigned white,
                            const struct mask_rules *rules, bool (*soft)(void *),
                            void *context, unsigned *value)
{
    struct between b = look_between(count, white, rules);
    unsigned values = 0;

    *value = 0;
    for (unsigned v = 1; v <= white && values < 2; v++)
        if (count[v]) {
            values++;
            *value = v;
        }
    if (values == 0)
        return MASK_EMPTY;
    if (rules->published)
        return b.high || (count[white] && white != MASK_IGNORE) ? MASK_UNCLEAR
                                                                : MASK_NUMBERS;
    if (values == 1 && *value <= (count[0] ? rules->single : rules->highest))
        return MASK_NUMBERS;
    if (values == 1 && *value == white && !count[0])
        return MASK_EMPTY; /* only "ignore" */
    if (values == 1)
        return count[0] ? MASK_ONE : MASK_UNCLEAR;
    if (count[white] && b.unlikely && b.pixels <= count[white] && soft(context))
        return MASK_SOFT;
    if (b.high || !b.numbers)
        return MASK_UNCLEAR;
    return !count[white] || white == 255 || white == 65535 ? MASK_NUMBERS : MASK_UNCLEAR;
}

/* ---- pixels ---------------------------------------------------------------- */

static unsigned at(const struct raw *raw, int x, int y)
{
    return raw_sample(raw, (size_t)y * (size_t)raw->width + (size_t)x);
}

/* Whether a pixel has a darker and a brighter neighbour, as on an edge from black to
 * white. */
static bool on_slope(const struct raw *raw, int x, int y)
{
    unsigned own = at(raw, x, y);
    bool darker = false, brighter = false;

    for (int j = y > 0 ? y - 1 : 0; j <= y + 1 && j < raw->height; j++)
        for (int i = x > 0 ? x - 1 : 0; i <= x + 1 && i < raw->width; i++) {
            darker = darker || at(raw, i, j) < own;
            brighter = brighter || at(raw, i, j) > own;
        }
    return darker && brighter;
}

/* Whether three quarters of the pixels between black and white are on such edges. */
static bool is_soft(void *context)
{
    const struct raw *raw = context;
    uint64_t between = 0, slopes = 0;

    for (int y = 0; y < raw->height; y++)
        for (int x = 0; x < raw->width; x++)
            if (at(raw, x, y) > 0 && at(raw, x, y) < raw->white) {
                between++;
                slopes += on_slope(raw, x, y);
            }
    return 4 * slopes >= 3 * between;
}

static void describe_values(const uint32_t *count, unsigned white, char *words,
                            size_t size)
{
    unsigned total = 0, said = 0;
    size_t n = 0;

    for (unsigned v = 0; v <= white; v++)
        total += count[v] > 0;
    words[0] = 0;
    for (unsigned v = 0; v <= white && said < 8 && n < size; v++)
        if (count[v]) {
            said++;
            n += (size_t)snprintf(words + n, size - n, "%s%u",
                                  said == 1                    ? ""
                                  : said == total && said <= 8 ? " and "
                                                               : ", ",
                                  v);
        }
    if (total > said && n < size)
        snprintf(words + n, size - n, " and %u more", total - said);
}

static uint8_t meant(enum mask_meaning meaning, unsigned v, unsigned white)
{
    switch (meaning) {
    case MASK_ONE:
        return v != 0;
    case MASK_SOFT:
        return 2 * v >= white;
    default:
        return v > MASK_MAX_NUMBER ? MASK_IGNORE : (uint8_t)v;
    }
}

/* Works in place, because one byte per pixel is not more than before. */
static void apply(struct raw *raw, struct mask_facts *facts)
{
    size_t n = (size_t)raw->width * (size_t)raw->height;

    for (size_t i = 0; i < n; i++) {
        raw->pixels[i] = meant(facts->meaning, raw_sample(raw, i), raw->white);
        facts->has[raw->pixels[i]] = true;
    }
    raw->bytes = 1;
    for (int id = 1; id <= MASK_MAX_NUMBER; id++)
        if (facts->has[id])
            facts->highest = id;
}

static uint32_t *count_values(struct raw *raw)
{
    unsigned values = raw->bytes == 2 ? 65536 : 256;
    uint32_t *count = calloc(values, sizeof *count);
    size_t n = (size_t)raw->width * (size_t)raw->height;
    bool wide = false;

    if (!count)
        return NULL;
    for (int y = 0; y < raw->height && raw->bytes == 2; y++)
        for (int x = 0; x < raw->width; x++)
            count[at(raw, x, y)]++;
    for (size_t i = 0; i < n && raw->bytes == 1; i++)
        count[raw->pixels[i]]++;
    for (unsigned v = 256; v < values; v++)
        wide = wide || count[v];
    if (!wide)
        raw->white = 255; /* 8-bit numbers in a 16-bit file */
    return count;
}

static int refuse(const struct mask_rules *rules, const struct mask_facts *facts,
                  struct pic_error *error)
{
    return pic_fail(
        error, PIC_WRONG,
        "holds the values %s, which are no object numbers: a mask holds 0 for "
        "background and 1 to %u for objects, or one other value (white, say) "
        "for one object",
        facts->values, rules->highest);
}

/* Takes over raw's pixels. */
static int understand(struct picture *out, struct raw *raw,
                      const struct mask_rules *rules, struct mask_facts *facts,
                      struct pic_error *error)
{
    uint32_t *count = count_values(raw);

    memset(facts, 0, sizeof *facts);
    if (!count)
        return pic_fail(error, PIC_NO_MEMORY, "needs more memory than there is");
    facts->meaning = mask_rule(count, raw->white, rules, is_soft, raw, &facts->value);
    describe_values(count, raw->white, facts->values, sizeof facts->values);
    free(count);
    if (facts->meaning == MASK_UNCLEAR)
        return refuse(rules, facts, error);
    apply(raw, facts);
    *out = (struct picture){raw->width, raw->height, 1, raw->pixels};
    raw->pixels = NULL;
    if (!picture_turn(out, raw->orientation, error))
        return 0;
    picture_free(out);
    return -1;
}

/* ---- from files and memory ----------------------------------------------------- */

int source_read_mask(struct picture *out, struct source *source,
                     const struct mask_rules *rules, struct mask_facts *facts,
                     struct pic_error *error)
{
    struct raw raw = {.orientation = 1};
    int err;

    memset(out, 0, sizeof *out);
    memset(facts, 0, sizeof *facts);
    switch (source_kind(source)) {
    case PIC_PNG:
        err = png_decode(&raw, source, false, error);
        break;
    case PIC_PNM:
        err = pnm_decode(&raw, source, false, error);
        break;
    case PIC_JPEG:
        err = pic_fail(error, PIC_WRONG,
                       "is a JPEG, which does not keep object numbers: a mask is a "
                       "palette PNG, a grey PNG or a PGM");
        break;
    default:
        err = pic_fail(error, PIC_WRONG, "is neither PNG nor PGM");
    }
    if (!err)
        err = raw_to_values(&raw, error);
    if (!err)
        err = understand(out, &raw, rules, facts, error);
    free(raw.pixels);
    return err;
}

int pic_read_mask(struct picture *out, const char *path, const struct mask_rules *rules,
                  struct mask_facts *facts, struct pic_error *error)
{
    struct source source;
    int err;

    memset(out, 0, sizeof *out);
    memset(facts, 0, sizeof *facts);
    if (source_open(&source, path, error))
        return -1;
    err = source_read_mask(out, &source, rules, facts, error);
    fclose(source.in);
    return err;
}

int pic_mask_from_gray(struct picture *out, const uint8_t *data, ptrdiff_t stride,
                       int width, int height, const struct mask_rules *rules,
                       struct mask_facts *facts, struct pic_error *error)
{
    struct raw raw = {.orientation = 1, .white = 255};
    int err;

    memset(facts, 0, sizeof *facts);
    if (pic_alloc(out, width, height, 1, error))
        return -1;
    raw.width = width;
    raw.height = height;
    raw.channels = raw.bytes = 1;
    raw.pixels = out->pixels;
    for (int y = 0; y < height; y++)
        memcpy(raw.pixels + (size_t)y * (size_t)width, data + stride * y, (size_t)width);
    memset(out, 0, sizeof *out);
    err = understand(out, &raw, rules, facts, error);
    free(raw.pixels);
    return err;
}

void mask_say_empty(const struct mask_facts *facts, struct pic_error *error)
{
    pic_fail(
        error, PIC_WRONG,
        "shows no object (its values: %s): pixels of object 1 have the value 1, 0 is "
        "background, and 255 means \"ignore\" beside object numbers",
        facts->values);
}

/* ---- geometry ------------------------------------------------------------------ */

size_t mask_stride(size_t size, int width, int height, size_t padded)
{
    size_t w, h;

    if (width < 1 || height < 1)
        return 0;
    w = (size_t)width;
    h = (size_t)height;
    if (size / h >= w && size == w * h)
        return w;
    if (padded < w || size < w || (size - w) / padded < h - 1)
        return 0;
    return padded;
}

/* Shapes are the same if they differ by less than 2 per cent, because sizes are
 * rounded. */
static bool same_shape(double a, double b)
{
    return a < b * 1.02 && b < a * 1.02;
}

enum mask_shape mask_shape_of(int width, int height, int frame_width, int frame_height,
                              int par_n, int par_d)
{
    double mask = (double)width / height, frame = (double)frame_width / frame_height;
    double shown = par_n > 0 && par_d > 0 ? frame * par_n / par_d : frame;

    if (same_shape(mask, frame) || same_shape(mask, shown))
        return MASK_SHAPE_SAME;
    if (same_shape(1 / mask, frame) || same_shape(1 / mask, shown))
        return MASK_SHAPE_TURNED;
    return MASK_SHAPE_OTHER;
}
