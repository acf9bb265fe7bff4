/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* masks_fuzz.c - checks that no input makes these read or write out of bounds: the mask
 * rule, rows in buffers of any size, names of patterns, and librvos with masks of any
 * size.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target. Otherwise a program
 * of seeded inputs: masks_fuzz ROUNDS. */

#include <rvos.h>

#include "fuzz.h"
#include "reader.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned take(struct input *in, int bytes)
{
    unsigned n = 0;

    for (; bytes > 0 && in->size > 0; bytes--, in->size--)
        n = n << 8 | *in->data++;
    return n;
}

/* The first slot of each pixel's value, as rvos_labels_slots must see it. */
static void check_slots(const struct picture *mask, const struct mask_facts *facts)
{
    rvos_labels labels = {.width = mask->width,
                          .height = mask->height,
                          .data = mask->pixels,
                          .stride = mask->width};
    int highest = -1;
    uint32_t slots = rvos_labels_slots(&labels, &highest);

    if (highest != facts->highest)
        abort();
    for (int slot = 1; slot <= MASK_MAX_SLOT; slot++)
        if ((slots >> (slot - 1) & 1) != facts->has[slot])
            abort();
}

/* A buffer of exactly `size` bytes, so that a sanitizer sees one byte too many. */
static void try_buffer(struct input *in)
{
    int width = (int)(take(in, 2) % 300), height = (int)(take(in, 2) % 300);
    size_t padded = take(in, 1) % 2 ? ((size_t)width + 3) & ~(size_t)3 : take(in, 2);
    struct mask_rules rules = {take(in, 1) % 2 ? 32 : 254, 32 + take(in, 1) % 223,
                               take(in, 1) % 4 == 0};
    size_t size = in->size, stride = mask_stride(size, width, height, padded);
    struct mask_facts facts;
    struct pic_error error;
    struct picture mask;
    uint8_t *buffer;

    if (stride == 0)
        return;
    if (stride < (size_t)width || (stride != padded && stride != (size_t)width))
        abort();
    buffer = malloc(size);
    if (!buffer)
        return;
    memcpy(buffer, in->data, size);
    if (!pic_mask_from_gray(&mask, buffer, (ptrdiff_t)stride, width, height, &rules,
                            &facts, &error)) {
        accepted++;
        check_slots(&mask, &facts);
        picture_free(&mask);
    }
    free(buffer);
}

static void try_turns(struct input *in)
{
    int width = 1 + (int)(take(in, 1) % 20), height = 1 + (int)(take(in, 1) % 20);
    int channels = take(in, 1) % 2 ? 3 : 1, turn = (int)(take(in, 1) % 10);
    struct pic_error error;
    struct picture p;
    unsigned before = 0, after = 0;

    if (pic_alloc(&p, width, height, channels, &error))
        return;
    for (int i = 0; i < width * height * channels; i++)
        before += p.pixels[i] = (uint8_t)take(in, 1);
    if (picture_turn(&p, turn, &error))
        abort();
    for (int i = 0; i < p.width * p.height * channels; i++)
        after += p.pixels[i];
    if (before != after || p.width * p.height != width * height)
        abort();
    picture_free(&p);
    (void)mask_shape_of(width, height, p.width, p.height, (int)take(in, 2),
                        (int)take(in, 2));
}

static void try_pattern(struct input *in)
{
    struct mask_pattern pattern;
    struct pic_error error;
    uint64_t number;
    char path[64] = "", name[64] = "";
    size_t n = in->size < 62 ? in->size : 62;

    memcpy(path, in->data, n);
    memcpy(name, in->data + n / 2, n - n / 2);
    if (mask_pattern_parse(&pattern, path, &error))
        return;
    (void)mask_pattern_match(&pattern, name, &number);
    (void)mask_pattern_match(&pattern, path, &number);
    mask_pattern_free(&pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    switch (take(&in, 1) % 4) {
    case 0:
        try_turns(&in);
        break;
    case 1:
        try_pattern(&in);
        (void)exif_orientation(in.data, in.size);
        break;
    default:
        try_buffer(&in);
    }
    return 0;
}

#ifndef RV_LIBFUZZER

int main(int argc, char **argv)
{
    enum { MOST = 4096 };
    static uint8_t data[MOST];
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 2000;
    uint64_t seed = 1;

    for (long i = 0; i < rounds; i++) {
        /* Use small sizes, so that a buffer often fits, and few values. */
        size_t width = 1 + next(&seed) % 40, height = 1 + next(&seed) % 40;
        size_t size = 11 + width * height + next(&seed) % 3 * height;
        uint8_t values = (uint8_t)(1 + next(&seed) % 40), head[11];

        for (size_t k = 0; k < size; k++)
            data[k] = (uint8_t)(next(&seed) % 4 ? 0 : next(&seed) % values);
        memcpy(head,
               (uint8_t[]){(uint8_t)next(&seed), 0, (uint8_t)width, 0, (uint8_t)height, 1,
                           (uint8_t)next(&seed), 0, (uint8_t)next(&seed), 0, 0},
               sizeof head);
        memcpy(data, head, sizeof head);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%ld inputs, %ld masks\n", rounds, accepted);
    return accepted > rounds / 50 ? 0 : 1;
}

#endif
