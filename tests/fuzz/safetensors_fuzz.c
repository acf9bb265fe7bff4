/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors_fuzz.c - checks that no file crashes the reader or makes it read outside.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target. Otherwise a program
 * that feeds it a few thousand seeded mutations of small files, to run with the other
 * tests, best under the address sanitizer: safetensors_fuzz [rounds [seed]]. */
#include "../../engine/src/safetensors.h"
#include "fuzz.h"
#include "rvos.h"

/* Reads all tensors of an accepted file. */
static void use(struct rv_st *st)
{
    static float out[256];
    static uint8_t bytes[1024];
    for (int i = 0; i < rv_st_count(st); i++) {
        const struct rv_st_tensor *t = rv_st_get(st, i);
        if (rv_st_find(st, t->name) != t)
            abort();
        for (size_t j = 0; j < t->bytes; j += sizeof bytes) {
            size_t n = t->bytes - j < sizeof bytes ? t->bytes - j : sizeof bytes;
            if (rv_st_read(st, t, j, n, bytes, NULL))
                abort();
        }
        if (rv_st_read(st, t, t->bytes, 1, bytes, NULL) != RVOS_ERR_ARGUMENT)
            abort();
        for (int64_t j = 0; j < t->count && t->type <= RV_BF16; j += 256) {
            int64_t n = t->count - j < 256 ? t->count - j : 256;
            if (rv_st_read_f32(st, t, j, n, out, NULL))
                abort();
        }
    }
    rv_st_meta(st, "rvos.base");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char err[200];
    struct rv_st *st;
    int status = rv_st_open(&st, fuzz_file(data, size), err, sizeof err);
    if (status ? st != NULL || !*err : st == NULL)
        abort();
    if (st) {
        accepted++;
        use(st);
    }
    rv_st_close(&st);
    return 0;
}

#ifndef RV_LIBFUZZER

/* Where they have data, it is 16 bytes. */
static const char *const corpus[] = {
    "{}",
    ("{\"__metadata__\":{\"rvos.base\":\"resnet18\",\"rvos.width\":\"448\"}}  "),
    ("{\"a.b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
     "\"c\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[12,16]},"
     "\"d\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[16,16]}}"),
    ("{ \"\\u00e9\\ud83d\\ude00\xc3\xa9\" : {\"shape\":[4, 4],\"data_offsets\":[0,16],"
     "\"dtype\":\"U8\"} , \"__metadata__\":{\"a\\n\":\"\\\\\"}}"),
};

static const char *const pieces[] = {
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "9223372036854775807",
    "18446744073709551616",
    "-1",
    "1e3",
    "\"dtype\":",
    "\"shape\":[",
    "\"data_offsets\":[",
    "\"__metadata__\":{",
    "\"F32\"",
    "\"a\":{",
    "\xf0\x9f",
    "\xed\xa0\x80",
    " ",
    "null",
};

int main(int argc, char **argv)
{
    static uint8_t file[8 + 1024 + 64];
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (long i = 0; i < rounds; i++) {
        const char *from = corpus[next(&seed) % (sizeof corpus / sizeof *corpus)];
        size_t n = strlen(from);
        memcpy(file + 8, from, n);
        for (uint64_t k = next(&seed) % 6; k > 0; k--)
            n = fuzz_text(file + 8, n, 1024, pieces, sizeof pieces / sizeof *pieces,
                          &seed);
        /* Mostly use the right length, so that the header is parsed. */
        uint64_t length = next(&seed) % 8 ? n : n + next(&seed) % 9 - 4;
        for (int b = 0; b < 8; b++)
            file[b] = (uint8_t)(length >> 8 * b);
        if (next(&seed) % 64 == 0)
            file[next(&seed) % 8] = (uint8_t)next(&seed);
        size_t data = next(&seed) % 3 ? 16 : next(&seed) % 64;
        memset(file + 8 + n, (int)next(&seed), data);
        LLVMFuzzerTestOneInput(file, next(&seed) % 16 ? 8 + n + data : next(&seed) % 16);
    }
    printf("%ld files, %ld of them accepted\n", rounds, accepted);
    return rounds && !accepted; /* if none was accepted, only refusals were tested */
}

#endif
