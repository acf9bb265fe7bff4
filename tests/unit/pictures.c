/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pictures.c - tests the reader of pictures and masks: the mask rule, geometry, names,
 * orientation, limits. */
#include <png.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rvos.h"

#include "../test.h"
#include "reader.h"

/* ---- the rule -------------------------------------------------------------------- */

static bool always(void *context)
{
    ++*(int *)context;
    return true;
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

struct pair {
    unsigned value;
    uint32_t count;
};

static enum mask_meaning rule(const struct pair *pairs, struct mask_rules rules,
                              bool (*soft)(void *))
{
    uint32_t count[256] = {0};
    unsigned value;
    int asked = 0;

    for (; pairs->count; pairs++)
        count[pairs->value] = pairs->count;
    return mask_rule(count, 255, &rules, soft, &asked, &value);
}

#define PAIRS(...) ((const struct pair[]){__VA_ARGS__, {0, 0}})

static void test_rule(void)
{
    static const struct mask_rules slots = {32, 32, false}, tool = {32, 254, false};
    static const struct mask_rules guess = {254, 254, false}, published = {0, 254, true};

    CHECK(rule(PAIRS({0, 9}), slots, never) == MASK_EMPTY);
    CHECK(rule(PAIRS({255, 9}), slots, never) == MASK_EMPTY);
    CHECK(rule(PAIRS({0, 9}, {1, 1}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {32, 1}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {33, 1}), slots, never) == MASK_ONE);
    CHECK(rule(PAIRS({0, 9}, {128, 1}), slots, never) == MASK_ONE);
    CHECK(rule(PAIRS({0, 9}, {255, 1}), slots, never) == MASK_ONE);
    CHECK(rule(PAIRS({5, 9}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({100, 9}), slots, never) == MASK_UNCLEAR); /* and no background */
    CHECK(rule(PAIRS({0, 9}, {1, 1}, {255, 1}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {1, 1}, {2, 1}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({1, 9}, {2, 1}), slots, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {1, 1}, {40, 1}), slots, never) == MASK_UNCLEAR);
    CHECK(rule(PAIRS({0, 9}, {100, 1}, {200, 1}), slots, never) == MASK_UNCLEAR);
    CHECK(rule(PAIRS({0, 9}, {100, 2}, {255, 9}), slots, never) == MASK_UNCLEAR);
    CHECK(rule(PAIRS({0, 9}, {100, 2}, {255, 9}), slots, always) == MASK_SOFT);
    /* More values between than white: this is not a drawing with soft edges. */
    CHECK(rule(PAIRS({0, 9}, {100, 10}, {255, 9}), slots, always) == MASK_UNCLEAR);
    /* Low values beside white are numbers beside "ignore". */
    CHECK(rule(PAIRS({0, 9}, {20, 2}, {255, 9}), slots, always) == MASK_NUMBERS);
    /* The tools accept numbers up to 254, but one value is still one object. */
    CHECK(rule(PAIRS({0, 9}, {1, 1}, {40, 1}), tool, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {40, 1}), tool, never) == MASK_ONE);
    CHECK(rule(PAIRS({0, 9}, {40, 1}), guess, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {255, 1}), guess, never) == MASK_ONE);
    CHECK(rule(PAIRS({0, 9}, {255, 1}), published, never) == MASK_NUMBERS);
    CHECK(rule(PAIRS({0, 9}, {254, 1}), published, never) == MASK_NUMBERS);
}

static const char *digits_of(struct picture *mask, char *text)
{
    int n = mask->width * mask->height;

    for (int i = 0; i < n; i++)
        text[i] = mask->pixels[i] == 255 ? 'i' : (char)('0' + mask->pixels[i]);
    text[n] = 0;
    picture_free(mask);
    return text;
}

/* The object numbers of a plane of values, as a string of digits; "!": refused. */
static const char *become(const uint8_t *data, int width, int height,
                          struct mask_facts *facts)
{
    static char text[512];
    struct mask_rules rules = MASK_RULES_SLOTS;
    struct pic_error error;
    struct picture mask;

    if (pic_mask_from_gray(&mask, data, width, width, height, &rules, facts, &error)) {
        snprintf(text, sizeof text, "!%s", error.words);
        return text;
    }
    return digits_of(&mask, text);
}

#define BECOME(width, ...)                                                               \
    become((const uint8_t[]){__VA_ARGS__}, (width),                                      \
           (int)sizeof((const uint8_t[]){__VA_ARGS__}) / (width), &facts)

static void test_values(void)
{
    struct mask_facts facts;

    CHECK(!strcmp(BECOME(3, 0, 1, 2), "012"));
    CHECK(!strcmp(facts.values, "0, 1 and 2") && facts.highest == 2);
    CHECK(!strcmp(BECOME(3, 0, 1, 255), "01i") && facts.highest == 1);
    CHECK(!strcmp(BECOME(3, 0, 255, 0), "010") && facts.highest == 1);
    CHECK(!strcmp(BECOME(3, 0, 128, 0), "010") && facts.value == 128);
    CHECK(!strcmp(BECOME(3, 0, 0, 0), "000") && facts.highest == 0);
    /* A soft edge, one step a pixel: half is inside. */
    CHECK(!strcmp(BECOME(8, 0, 0, 127, 128, 255, 255, 255, 255), "00011111"));
    CHECK(facts.meaning == MASK_SOFT);
    /* Two grey regions are two objects whose numbers are unknown. */
    CHECK(BECOME(10, 0, 100, 100, 100, 0, 255, 255, 255, 255, 0)[0] == '!');
    CHECK(strstr(BECOME(3, 7, 100, 200), "7, 100 and 200") != NULL);
}

/* ---- geometry -------------------------------------------------------------------- */

static void test_geometry(void)
{
    CHECK(mask_stride(854 * 480, 854, 480, 856) == 854); /* tight */
    CHECK(mask_stride(856 * 480, 854, 480, 856) == 856);
    CHECK(mask_stride(856 * 479 + 854, 854, 480, 856) == 856); /* a short last row */
    CHECK(mask_stride(856 * 479 + 853, 854, 480, 856) == 0);
    CHECK(mask_stride(854 * 480 - 1, 854, 480, 856) == 0);
    CHECK(mask_stride(854 * 480 + 1, 854, 480, 856) == 0);
    CHECK(mask_stride(64 * 64, 64, 64, 64) == 64);
    CHECK(mask_stride(3, 3, 1, 4) == 3);
    CHECK(mask_stride(0, 3, 1, 4) == 0);
    CHECK(mask_stride(9, 0, 3, 4) == 0 && mask_stride(9, 3, -1, 4) == 0);
    CHECK(mask_stride((size_t)-1, 2147483647, 2147483647, 4) == 0);

    CHECK(mask_shape_of(854, 480, 1920, 1080, 1, 1) == MASK_SHAPE_SAME);
    CHECK(mask_shape_of(180, 320, 320, 180, 1, 1) == MASK_SHAPE_TURNED);
    CHECK(mask_shape_of(320, 240, 320, 180, 1, 1) == MASK_SHAPE_OTHER);
    CHECK(mask_shape_of(1024, 576, 720, 576, 64, 45) == MASK_SHAPE_SAME); /* as shown */
    CHECK(mask_shape_of(720, 576, 720, 576, 64, 45) == MASK_SHAPE_SAME);
}

/* Stored as numbered here, the picture 1 2 3 / 4 5 6 must come out upright. */
static void test_turns(void)
{
    static const struct {
        int orientation, width, height;
        const char *stored;
    } turns[] = {{1, 3, 2, "123456"}, {2, 3, 2, "321654"}, {3, 3, 2, "654321"},
                 {4, 3, 2, "456123"}, {5, 2, 3, "142536"}, {6, 2, 3, "362514"},
                 {7, 2, 3, "635241"}, {8, 2, 3, "415263"}, {9, 3, 2, "123456"}};
    struct pic_error error;
    struct picture p;

    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        CHECK(!pic_alloc(&p, turns[i].width, turns[i].height, 1, &error));
        memcpy(p.pixels, turns[i].stored, 6);
        CHECK(!picture_turn(&p, turns[i].orientation, &error));
        CHECK(p.width == 3 && p.height == 2);
        test_note(CHECK(!memcmp(p.pixels, "123456", 6)), "orientation %d",
                  turns[i].orientation);
        picture_free(&p);
    }
}

static void test_exif(void)
{
    static const uint8_t little[] =
        "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0";
    static const uint8_t big[] =
        "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";

    CHECK(exif_orientation(little, sizeof little) == 8);
    CHECK(exif_orientation(big, sizeof big) == 6);
    for (size_t n = 0; n < 20; n++)
        CHECK(exif_orientation(big, n) == 1); /* cut short */
    CHECK(exif_orientation((const uint8_t *)"XX\0*\0\0\0\x08", 8) == 1);
}

static void test_colours(void)
{
    for (int i = 0; i <= RVOS_MAX_OBJECTS; i++) {
        uint8_t rgb[3];

        davis_colour(i, rgb);
        CHECK(!memcmp(rgb, rvos_davis_palette.rgb[i], 3));
    }
    CHECK(MASK_MAX_SLOT == RVOS_MAX_OBJECTS);
}

/* ---- names ------------------------------------------------------------------------- */

static long number_in(const char *path, const char *name)
{
    struct mask_pattern pattern;
    struct pic_error error;
    uint64_t number = 0;
    long found = -2;

    if (mask_pattern_parse(&pattern, path, &error))
        return found;
    found = mask_pattern_match(&pattern, name, &number) ? (long)number : -1;
    mask_pattern_free(&pattern);
    return found;
}

static void test_names(void)
{
    struct mask_pattern pattern;
    struct pic_error error;

    CHECK(number_in("m/%05d.png", "00012.png") == 12);
    CHECK(number_in("m/%05d.png", "12.png") == -1);
    CHECK(number_in("m/%d.png", "12.png") == 12);
    CHECK(number_in("m/%d.png", "012.png") == -1);
    CHECK(number_in("%3d", " 12") == 12);
    CHECK(number_in("take 50%/a%d.png", "a7.png") == 7);
    CHECK(number_in("a%%b%d.png", "a%b7.png") == 7);
    CHECK(number_in("m/%d%d.png", "11.png") == -2);
    CHECK(number_in("m/%s.png", "a.png") == -2);
    CHECK(number_in("m/%d/a.png", "a.png") == -2);
    CHECK(!mask_pattern_parse(&pattern, "/%d", &error));
    CHECK(!strcmp(pattern.folder, "/"));
    mask_pattern_free(&pattern);
    CHECK(!mask_pattern_parse(&pattern, "take 50%/%d", &error));
    CHECK(!strcmp(pattern.folder, "take 50%"));
    mask_pattern_free(&pattern);
}

/* ---- files ------------------------------------------------------------------------- */

static const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");

    if (CHECK(f != NULL)) {
        CHECK(fwrite(bytes, 1, size, f) == size);
        fclose(f);
    }
    return name;
}

static const char *write_png(const char *name, png_uint_32 format, const void *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 4, .height = 1};

    image.format = format;
    CHECK(png_image_write_to_file(&image, name, 0, pixels, 0, NULL));
    return name;
}

static const char *mask_of(const char *path)
{
    static char text[512];
    struct mask_rules rules = MASK_RULES_SLOTS;
    struct mask_facts facts;
    struct pic_error error;
    struct picture mask;

    if (pic_read_mask(&mask, path, &rules, &facts, &error)) {
        snprintf(text, sizeof text, "%d %s", error.status, error.words);
        return text;
    }
    return digits_of(&mask, text);
}

#define BYTES(text) (text), sizeof(text) - 1

#define PNG_MASK(format, pixels) mask_of(write_png("a", PNG_FORMAT_##format, pixels))
#define FILE_MASK(text) mask_of(write_bytes("a", BYTES(text)))

static void test_kinds_of_masks(void)
{
    CHECK(!strcmp(PNG_MASK(GRAY, "\0\1\2\377"), "012i"));
    CHECK(!strcmp(PNG_MASK(GRAY, "\0\377\0\377"), "0101"));
    CHECK(!strcmp(PNG_MASK(GA, "\1\377\0\377\1\377\2\0"), "1010"));
    CHECK(!strcmp(PNG_MASK(RGB, "\0\0\0\1\1\1\2\2\2\0\0\0"), "0120"));
    /* Red of DAVIS is 1, green is 2; one other colour on black is 1; two are too many. */
    CHECK(!strcmp(PNG_MASK(RGB, "\0\0\0\200\0\0\0\200\0\340\340\300"), "012i"));
    CHECK(!strcmp(PNG_MASK(RGB, "\0\0\0\377\0\0\0\0\0\377\0\0"), "0101"));
    CHECK(strstr(PNG_MASK(RGB, "\0\0\0\377\0\0\0\377\0\0\0\0"),
                 "has colours (such as #00ff00)"));
    CHECK(!strcmp(PNG_MASK(RGBA, "\377\377\377\0\377\377\377\377\0\0\0\377\377\377\377"
                                 "\177"),
                  "0100"));
    CHECK(!strcmp(FILE_MASK("P5\n#x\n4 1 255\n\0\1\2\377"), "012i"));
    CHECK(!strcmp(FILE_MASK("P5 3 1 65535\n\0\0\0\2\377\377"), "02i"));
    CHECK(!strcmp(FILE_MASK("P5 3 1 65535\n\0\0\377\377\0\0"), "010"));
    CHECK(!strcmp(FILE_MASK("P2 4 1 9 0 1 2 0"), "0120"));
    CHECK(!strcmp(FILE_MASK("P1 4 1 1010"), "0101"));
    CHECK(!strcmp(FILE_MASK("P4 4 1\n\xa0"), "0101"));
    CHECK(strstr(FILE_MASK("P5 4 1 255\n\0\1"), "ends early"));
    CHECK(strstr(FILE_MASK("P5 2 1 3\n\0\4"), "above 3"));
    CHECK(strstr(FILE_MASK("\xff\xd8\xff\xe0"), "JPEG"));
    CHECK(strstr(FILE_MASK("GIF89a"), "neither PNG nor PGM"));
    CHECK(strstr(FILE_MASK(""), "is empty"));
    CHECK(strstr(mask_of("/dev/zero"), "is a device or a pipe"));
    unlink("a");
}

/* Heads of PNG files of 2147483647x1 and 16384x16384, 1 bit a pixel. */
#define WIDE_PNG                                                                         \
    "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122"                   \
    "\177\377\377\377\000\000\000\001\001\000\000\000\000\210\115\016"                   \
    "\160\000\000\000\000\111\104\101\124\065\257\006\036"
#define LARGE_PNG                                                                        \
    "\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122"                   \
    "\000\000\100\000\000\000\100\000\001\000\000\000\000\201\263\055"                   \
    "\051\000\000\000\000\111\104\101\124\065\257\006\036"

/* The reader must not wait, and must refuse what the limits forbid. */
static void test_limits(void)
{
    struct pic_error error;
    struct picture picture;

    CHECK(mask_of("nowhere")[0] == '0' + PIC_NOT_FOUND);
    CHECK(mask_of(".")[0] == '0' + PIC_NOT_READ);
    unlink("fifo");
    CHECK(!mkfifo("fifo", 0600));
    CHECK(mask_of("fifo")[0] == '0' + PIC_NOT_READ);
    CHECK(pic_read(&picture, "fifo", &error) && error.status == PIC_NOT_READ);
    unlink("fifo");
    CHECK(strstr(mask_of(write_bytes("a", BYTES("P5 65000 2 255\n"))), "no size from"));
    CHECK(strstr(mask_of(write_bytes("a", BYTES("P5 16384 16384 1\n"))), "too large"));
    /* A header that claims a width of 2^31 - 1: libpng would allocate its rows. */
    CHECK(strstr(mask_of(write_bytes("a", BYTES(WIDE_PNG))), "no size from"));
    CHECK(strstr(mask_of(write_bytes("a", BYTES(LARGE_PNG))), "too large"));
    unlink("a");
    CHECK(pic_alloc(&picture, 0, 1, 1, &error) && pic_alloc(&picture, 1, -1, 1, &error));
    CHECK(pic_alloc(&picture, 16385, 1, 1, &error));
    CHECK(pic_alloc(&picture, 16384, 16384, 1, &error));
}

int main(void)
{
    if (chdir(test_folder()))
        return 1;
    test_rule();
    test_values();
    test_geometry();
    test_turns();
    test_exif();
    test_colours();
    test_names();
    test_kinds_of_masks();
    test_limits();
    return test_done();
}
