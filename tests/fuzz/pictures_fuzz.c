/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pictures_fuzz.c - checks that no file crashes the readers of pictures and masks, and
 * that an accepted picture is complete and has valid values.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target, to be given a copy
 * of the folder pictures/. Otherwise a program that feeds seeded mutations of its files:
 * pictures_fuzz ROUNDS FILE... */

#include "fuzz.h"
#include "reader.h"

/* Larger ones only take time. */
#define MAX_PIXELS ((size_t)1 << 16)

static void check_words(const struct pic_error *error)
{
    size_t n = strlen(error->words);

    if (error->status == PIC_OK || n == 0 || strchr(error->words, '\n') ||
        error->words[n - 1] == '.')
        abort();
}

static void check_size(const struct picture *picture, int channels)
{
    if (picture->width < 1 || picture->height < 1 || picture->channels != channels ||
        (size_t)picture->width * (size_t)picture->height > MAX_PIXELS)
        abort();
}

static void try_mask(FILE *in, const struct mask_rules *rules)
{
    struct source source = {in, MAX_PIXELS};
    struct pic_error error = {PIC_OK, ""};
    struct mask_facts facts;
    struct picture mask;
    size_t n;

    rewind(in);
    if (source_read_mask(&mask, &source, rules, &facts, &error)) {
        check_words(&error);
        return;
    }
    accepted++;
    check_size(&mask, 1);
    n = (size_t)mask.width * (size_t)mask.height;
    for (size_t i = 0; i < n; i++) {
        unsigned v = mask.pixels[i];

        if (!facts.has[v] ||
            (v != MASK_IGNORE && (v > rules->highest || (int)v > facts.highest)) ||
            (v > 1 && (facts.meaning == MASK_ONE || facts.meaning == MASK_SOFT)))
            abort();
    }
    if (facts.highest == 0) {
        mask_say_empty(&facts, &error);
        check_words(&error);
    }
    picture_free(&mask);
}

static void try_picture(FILE *in)
{
    struct source source = {in, MAX_PIXELS};
    struct pic_error error = {PIC_OK, ""};
    struct picture picture;
    unsigned sum = 0;

    rewind(in);
    if (source_read(&picture, &source, &error)) {
        check_words(&error);
        return;
    }
    accepted++;
    check_size(&picture, 3);
    for (size_t i = 0; i < 3 * (size_t)picture.width * (size_t)picture.height; i++)
        sum += picture.pixels[i];
    if (sum == 1) /* so that all pixels are read */
        fputc(0, stderr);
    picture_free(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mask_rules rules[3] = {
        MASK_RULES_SLOTS, {MASK_MAX_SLOT, MASK_MAX_NUMBER, false}, {0, 254, true}};
    /* fmemopen needs writable memory. */
    uint8_t *copy = malloc(size + 1);
    FILE *in;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    in = size ? fmemopen(copy, size, "rb") : NULL;
    if (in) {
        try_mask(in, &rules[size % 3]);
        try_picture(in);
        fclose(in);
    }
    free(copy);
    return 0;
}

/* ---- mutations -------------------------------------------------------------------- */

static uint32_t crc(const uint8_t *data, size_t size)
{
    uint32_t c = 0xffffffffu;

    for (size_t i = 0; i < size; i++) {
        c ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

/* Corrects the checksums of PNG chunks; a wrong one would be refused at once. */
static void mend_png(uint8_t *file, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        size_t n = (size_t)file[at] << 24 | (size_t)file[at + 1] << 16 |
                   (size_t)file[at + 2] << 8 | file[at + 3];
        uint32_t sum;

        if (n > size - at - 12)
            return;
        sum = crc(file + at + 4, n + 4);
        for (int i = 0; i < 4; i++)
            file[at + 8 + n + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + n;
    }
}

#ifdef RV_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, room);
    if (size > 8 && data[0] == 0x89 && seed % 16)
        mend_png(data, size);
    return size;
}

#else

static size_t mutate(uint8_t *file, size_t size, uint64_t *seed)
{
    for (uint64_t k = next(seed) % 4; k > 0; k--) {
        size_t at = next(seed) % size, n = 1 + next(seed) % 8;

        switch (next(seed) % 4) {
        case 0:
            file[at] ^= (uint8_t)(1U << next(seed) % 8);
            break;
        case 1:
            file[at] = (uint8_t)next(seed);
            break;
        case 2: /* bytes of elsewhere */
            if (at + n <= size)
                memmove(file + at, file + next(seed) % (size - n + 1), n);
            break;
        default:
            if (next(seed) % 4 == 0 && size > 16)
                size -= next(seed) % 16;
        }
    }
    if (size > 8 && file[0] == 0x89)
        mend_png(file, size);
    return size;
}

static int run_file(const char *path, long rounds, uint64_t *seed)
{
    enum { MOST = 1 << 16 };
    static uint8_t good[MOST], file[MOST];
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(good, 1, MOST, f) : 0;

    if (f)
        fclose(f);
    if (size < 16) {
        fprintf(stderr, "%s: is no file of more than 16 bytes\n", path);
        return -1;
    }
    for (long i = 0; i < rounds; i++) {
        memcpy(file, good, size);
        LLVMFuzzerTestOneInput(file, i ? mutate(file, size, seed) : size);
    }
    return 0;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    uint64_t seed = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: pictures_fuzz ROUNDS FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        if (run_file(argv[i], rounds, &seed))
            return 2;
    printf("%ld rounds of %d files, %ld accepted\n", rounds, argc - 2, accepted);
    return accepted > argc - 2 && accepted < 2 * rounds * (argc - 2) ? 0 : 1;
}

#endif
