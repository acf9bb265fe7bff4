/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model_fuzz.c - checks that no file crashes rvos_model_load, or a frame if it is
 * accepted.
 *
 * With clang's -fsanitize=fuzzer -DRV_LIBFUZZER: a libFuzzer target, to be given a folder
 * with a small model. Otherwise a program that feeds it seeded mutations of one, to run
 * with the other tests: model_fuzz MODEL [rounds [seed]]. */
#include <stdatomic.h>

#include "fuzz.h"
#include "rvos.h"

static atomic_int errors;
static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level == RVOS_LOG_ERROR)
        atomic_fetch_add(&errors, 1);
    if (!line[0] || strchr(line, '\n'))
        abort();
}

static void process(rvos_model *model, rvos_task task)
{
    uint8_t rgb[32 * 32 * 3] = {7}, labels[32 * 32] = {1};
    rvos_labels l = {.width = 32, .height = 32, .data = labels, .stride = 32};
    rvos_image image = {.width = 32,
                        .height = 32,
                        .plane = {rgb},
                        .stride = {3 * 32},
                        .format = RVOS_RGB};
    rvos_stream *stream = NULL;

    if (rvos_stream_open(&stream, model,
                         &(rvos_stream_params){.task = task, .objects = 2}))
        abort();
    if (task == RVOS_TASK_ONE_SHOT && rvos_stream_seed(stream, &l, RVOS_ALL_SLOTS))
        abort();
    if (rvos_stream_process(stream, &image, &(rvos_output){.labels = &l}))
        abort();
    rvos_stream_close(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rvos_device *device;
    rvos_model *model = NULL;
    rvos_model_info info;
    int status;

    if (!device && rvos_device_open(&device, &(rvos_device_params){.backend = "reference",
                                                                   .threads = 1,
                                                                   .log = on_log}))
        abort();
    atomic_store(&errors, 0);
    status = rvos_model_load(&model, device, fuzz_file(data, size),
                             &(rvos_model_params){.width = 32, .height = 32});
    if ((status == 0) != (model != NULL) || atomic_load(&errors) != (status != 0))
        abort();
    if (!model)
        return 0;
    accepted++;
    rvos_model_get_info(model, &info);
    if (!info.encoder[0] || !info.tasks || info.objects < 1 || info.objects > 32)
        abort();
    for (int task = RVOS_TASK_ZERO_SHOT; task <= RVOS_TASK_ONE_SHOT; task <<= 1)
        if (info.tasks & (unsigned)task)
            process(model, (rvos_task)task);
    rvos_model_close(&model);
    return 0;
}

/* ---- mutations of the header -------------------------------------------- */

/* Words that may replace each other, so that many files are nearly right. */
static const char *const words[] = {
    "resnet18",    "resnet34", "resnet50", "vgg16",  "concat",  "sum",
    "mul",         "none",     "F32",      "F16",    "BF16",    "I64",
    "zero-shot",   "one-shot", "8",        "16",     "0",       "1",
    "3",           "2",        "32",       "448",    "-1",      "65536",
    "4294967296",  "",         "conv1",    "bn1",    "weight",  "bias",
    "running_var", "sk5",      "Gates",    "layer1", "encoder", "zero_shot",
    "one_shot",    "[8]",      "[]",       "[1,1]",  "blocks",  "depthwise",
    "mobilenetv2", "stem",
};

static size_t replace(uint8_t *text, size_t n, size_t room, size_t at, size_t old,
                      const char *with, size_t length)
{
    if (n - old + length > room)
        return n;
    memmove(text + at + length, text + at + old, n - at - old);
    memcpy(text + at, with, length);
    return n - old + length;
}

/* Changes one of the words in `text`, or a byte. */
static size_t mutate(uint8_t *text, size_t n, size_t room, uint64_t *seed)
{
    const char *from = words[next(seed) % (sizeof(words) / sizeof(words[0]))],
               *to = words[next(seed) % (sizeof(words) / sizeof(words[0]))];
    size_t length = strlen(from), start = next(seed) % (n + 1);

    if (next(seed) % 4 == 0 && start < n) {
        text[start] = (uint8_t)(next(seed) % 2 ? '0' + next(seed) % 10 : next(seed));
        return n;
    }
    for (size_t i = 0; length && i < n; i++) {
        size_t at = (start + i) % n;

        if (at + length <= n && !memcmp(text + at, from, length))
            return replace(text, n, room, at, length, to, strlen(to));
    }
    return n;
}

static uint64_t header_length(const uint8_t *file, size_t size)
{
    uint64_t length = 0;

    for (int b = 7; b >= 0 && size >= 8; b--)
        length = length << 8 | file[b];
    return size >= 8 && length <= size - 8 ? length : 0;
}

/* Changes the header and corrects its length, or changes the data. */
static size_t mutate_file(uint8_t *file, size_t size, size_t room, uint64_t *seed)
{
    size_t n = (size_t)header_length(file, size), data = size - 8 - n, changed = n;
    uint8_t *copy;

    if (!n || size < 9)
        return size;
    if (next(seed) % 6 == 0 && data) {
        file[8 + n + next(seed) % data] = (uint8_t)next(seed);
        return size;
    }
    copy = malloc(n + 256);
    if (!copy)
        return size;
    memcpy(copy, file + 8, n);
    for (uint64_t k = 1 + next(seed) % 3; k > 0; k--)
        changed = mutate(copy, changed, n + 256, seed);
    if (8 + changed + data <= room) {
        memmove(file + 8 + changed, file + 8 + n, data);
        memcpy(file + 8, copy, changed);
        for (int b = 0; b < 8; b++)
            file[b] = (uint8_t)((uint64_t)changed >> 8 * b);
        size = 8 + changed + data;
    }
    free(copy);
    return size;
}

#ifdef RV_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    uint64_t state = seed;

    if (seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, room);
    return mutate_file(data, size, room, &state);
}

#else

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 2000;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    enum { MOST = 4 << 20 };
    uint8_t *good = malloc(MOST), *file = malloc(MOST);
    size_t size = f && good ? fread(good, 1, MOST / 2, f) : 0;

    if (f)
        fclose(f);
    if (!size || !file) {
        fprintf(stderr, "usage: model_fuzz MODEL [rounds [seed]]\n");
        return 2;
    }
    for (long i = 0; i < rounds; i++) {
        size_t n = size;

        memcpy(file, good, size);
        if (i)
            n = mutate_file(file, n, MOST, &seed);
        if (next(&seed) % 32 == 0)
            n -= next(&seed) % 64;
        LLVMFuzzerTestOneInput(file, n);
    }
    printf("%ld files, %ld of them models\n", rounds, accepted);
    free(good);
    free(file);
    return accepted > rounds / 100 && accepted < rounds ? 0 : 1;
}

#endif
