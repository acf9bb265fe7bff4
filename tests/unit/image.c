/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.c - tests which views are valid, and compares nearest-neighbour masks with brute
 * force. */
#include <string.h>

#include "images.h"
#include "image.h"
#include "log.h"

static int lines;

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    lines += level == RVOS_LOG_ERROR && strstr(line, "here") != NULL;
}

static rvos_device device = {.fn = &rv_backend_reference, .params = {.log = on_log}};

/* The source pixel whose centre is nearest: the greatest i with 2 i out <= (2 x + 1) in.
 */
static int nearest(int x, int in, int out)
{
    int i = 0;

    while (i + 1 < in && (int64_t)2 * (i + 1) * out <= ((int64_t)2 * x + 1) * in)
        i++;
    return i;
}

static void masks(uint64_t *seed)
{
    static uint8_t data[64 * 3 * 64];
    static uint32_t bits[64 * 64], before[64 * 64];

    for (int round = 0; round < 300; round++) {
        int w = test_random_int(seed, 1, 63), h = test_random_int(seed, 1, 63);
        rvos_labels l = {.width = test_random_int(seed, 1, 60),
                         .height = test_random_int(seed, 1, 60),
                         .step = test_random_int(seed, 0, 3),
                         .data = data};
        uint32_t slots = round % 5 ? (uint32_t)test_random(seed) : UINT32_MAX;
        int step = l.step ? l.step : 1;

        l.stride = l.width * step + test_random_int(seed, 0, 2);
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (uint8_t)(test_random(seed) % (round % 2 ? 256 : 40));
        for (int i = 0; i < w * h; i++)
            bits[i] = before[i] = (uint32_t)test_random(seed);
        rv_seed_bits(&l, slots, bits, w, h);
        for (int i = 0; i < w * h; i++) {
            int y = nearest(i / w, l.height, h), x = nearest(i % w, l.width, w);
            int label = data[y * l.stride + x * step];
            uint32_t bit = label >= 1 && label <= 32 ? UINT32_C(1) << (label - 1) : 0;

            if (!CHECK(bits[i] == ((before[i] & ~slots) | (bit & slots))))
                return;
        }
    }
}

/* Every format with its smallest strides, and with one byte less. */
static void strides(void)
{
    static uint8_t byte;

    for (int f = RVOS_RGB; f <= RVOS_P010; f++)
        for (int w = 1; w <= 5; w++) {
            int least[3], planes;
            rvos_image good = {.format = (rvos_format)f, .width = w, .height = 3};

            planes = test_image_planes(&good);
            for (int i = 0; i < planes; i++) {
                least[i] = test_plane_bytes((rvos_format)f, w, i);
                good.plane[i] = &byte;
                good.stride[i] = least[i];
            }
            lines = 0;
            CHECK(rv_image_check(&device, &good, "here") == 0 && lines == 0);
            for (int i = 0; i < planes; i++) {
                rvos_image bad = good;

                bad.stride[i]--;
                CHECK(rv_image_check(&device, &bad, "here") == RVOS_ERR_ARGUMENT);
                bad = good;
                bad.plane[i] = NULL;
                CHECK(rv_image_check(&device, &bad, "here") == RVOS_ERR_ARGUMENT);
                bad = good;
                bad.stride[i] = -bad.stride[i];
                CHECK(rv_image_check(&device, &bad, "here") == RVOS_ERR_ARGUMENT);
            }
            CHECK(lines == 3 * planes);
        }
}

static void refused(void)
{
    static uint8_t byte;
    rvos_image good = {
        .format = RVOS_RGB, .width = 1, .height = 1, .plane = {&byte}, .stride = {3}};
    rvos_image bad[9];

    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].format = (rvos_format)-1;
    bad[1].format = (rvos_format)(RVOS_P010 + 1);
    bad[2].width = 0;
    bad[3].height = -1;
    bad[4].width = 32769;
    bad[5].height = 1 << 30;
    bad[6].colorimetry.matrix = (rvos_matrix)99;
    bad[7].colorimetry.matrix = (rvos_matrix)-1;
    bad[8].memory = (rvos_memory)7;
    lines = 0;
    for (int i = 0; i < 9; i++)
        CHECK(rv_image_check(&device, &bad[i], "here") ==
              (i == 8 ? RVOS_ERR_UNSUPPORTED : RVOS_ERR_ARGUMENT));
    CHECK(rv_image_check(&device, NULL, "here") == RVOS_ERR_ARGUMENT);
    CHECK(rv_labels_check(&device, NULL, "here") == RVOS_ERR_ARGUMENT);
    CHECK(lines == 11);
    good.memory = RVOS_MEMORY_CUDA;
    CHECK(rv_image_check(&device, &good, "here") == RVOS_ERR_UNSUPPORTED);
}

/* CUDA's kernels know the first formats only. */
static void cuda_formats(void)
{
    static uint8_t bytes[16];

    for (int f = RVOS_RGB; f <= RVOS_P010; f++) {
        rvos_image image = {.format = (rvos_format)f,
                            .width = 1,
                            .height = 1,
                            .plane = {bytes, bytes, bytes},
                            .stride = {16, 16, 16}};

        lines = 0;
        CHECK(rv_image_for_cuda(&device, &image, "here") ==
              (f <= RVOS_I420 ? RVOS_OK : RVOS_ERR_UNSUPPORTED));
        CHECK(lines == (f > RVOS_I420));
    }
}

int main(void)
{
    uint64_t seed = 5;

    masks(&seed);
    strides();
    refused();
    cuda_formats();
    return test_done();
}
