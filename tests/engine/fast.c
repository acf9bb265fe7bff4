/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fast.c - compares the shipped network, with each of the CPU's convolution engines, with
 * plain C, because the networks of the golden cases are too narrow for some engines. Some
 * frames, both tasks, and sizes that are not multiples of tiles.
 *
 *     fast MODEL */
#include "fixture.h"

#define FRAMES 4
#define N 3
#define MOST_W 160
#define MOST_H 96
#define PIXELS (MOST_W * MOST_H)

/* Half-size logits are -20 to 15 here; golden cases allow 1e-3 for the same model. */
#define TOLERANCE 2e-4

typedef float result[FRAMES][N][PIXELS / 4];

static void run(const char *backend, const char *way, int threads, const char *path,
                rvos_task task, int w, int h, result out)
{
    static uint8_t rgb[PIXELS * 3], map[PIXELS];
    rvos_device *device;
    rvos_model *model = NULL;
    rvos_stream *stream;
    rvos_labels labels = {.width = w, .height = h, .data = map, .stride = w};
    rvos_image image = rgb_image(rgb, w, h);

    memset(out, 0, sizeof(result));
    setenv("RVOS_CPU_WINOGRAD", way, 1);
    device = open_device(backend, threads, &log_);
    if (!CHECK(rvos_model_load(&model, device, path,
                               &(rvos_model_params){.width = w, .height = h}) == 0))
        exit(1);
    stream = open_stream(model, task, N);
    make_masks(map, w, h, (1u << N) - 1);
    if (task == RVOS_TASK_ONE_SHOT)
        CHECK(rvos_stream_seed(stream, &labels, (1u << N) - 1) == 0);
    for (int t = 0; t < FRAMES; t++) {
        make_frame(rgb, w, h, t);
        CHECK(rvos_stream_process(stream, &image, &(rvos_output){.labels = &labels}) ==
              0);
        for (int n = 0; n < N; n++) {
            int lw, lh;

            CHECK(rvos_stream_read_logits(stream, n + 1, out[t][n], &lw, &lh) == 0);
            CHECK(lw * lh <= PIXELS / 4);
        }
    }
    close_handles(&stream, &model, &device);
}

static void compare(const char *path, rvos_task task, int w, int h)
{
    static const char *const ways[] = {"0", "plain", "avx2", "avx512"};
    static result want, direct, got;
    double range = 0;

    run("reference", "0", 1, path, task, w, h, want);
    for (int n = 0; n < N; n++)
        range = fmax(range, fabs((double)want[FRAMES - 1][n][0]));
    CHECK(range > 1); /* it has seen something, if only background */
    for (int i = 0; i < 4; i++) {
        double worst;

        run("cpu", ways[i], 2, path, task, w, h, i ? got : direct);
        worst = difference(want[0][0], (i ? got : direct)[0][0],
                           sizeof(want) / sizeof(float));
        printf("%s, %dx%d, %s: logits off by %.2e\n",
               task == RVOS_TASK_ONE_SHOT ? "one-shot" : "zero-shot", w, h,
               i ? ways[i] : "direct", worst);
        CHECK(worst <= TOLERANCE);
        CHECK(i == 0 || memcmp(direct, got, sizeof(got))); /* it was another way */
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return test_skip("usage: fast MODEL");
    compare(argv[1], RVOS_TASK_ZERO_SHOT, 160, 96);
    compare(argv[1], RVOS_TASK_ONE_SHOT, 150, 70);
    CHECK(log_.errors == 0);
    return test_done();
}
