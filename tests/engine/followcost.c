/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* followcost.c - what the task auto costs beside one-shot with as many live objects, in
 * CPU time of one thread, frame by frame in turn.
 *
 *     followcost MODEL [WIDTH HEIGHT [FRAMES [PASSES]]]
 *
 * Both streams follow the same five discs. A frame's time is the least of all passes,
 * which are alike, so that a busy machine changes little. */
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

enum { SLOTS = 5, WARM_UP = 20, MOST = 1000 };

struct side {
    rvos_task task;
    rvos_stream *stream;
    double ms[MOST]; /* the least time of each frame */
    bool discovery[MOST];
};

/* Disc k, of radius h / 10, on its way. */
static void middle(int k, int t, int w, int h, double *x, double *y)
{
    *x = w * (0.1 + 0.2 * k + 0.05 * sin(t / 17.0 + k));
    *y = h * (0.5 + 0.3 * cos(t / 23.0 + 2 * k));
}

static int disc_at(int x, int y, int t, int w, int h)
{
    for (int k = 0; k < SLOTS; k++) {
        double mx, my;

        middle(k, t, w, h, &mx, &my);
        if ((x - mx) * (x - mx) + (y - my) * (y - my) < h * h / 100.0)
            return k + 1;
    }
    return 0;
}

static void paint(uint8_t *rgb, uint8_t *mask, int w, int h, int t)
{
    uint64_t seed = (uint64_t)t + 1;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int disc = disc_at(x, y, t, w, h);
            uint8_t *p = rgb + ((size_t)y * w + x) * 3;

            mask[y * w + x] = (uint8_t)disc;
            for (int c = 0; c < 3; c++)
                p[c] =
                    (uint8_t)(disc ? 40 * ((disc + 2 * c) % 6) + (x / 3 + y / 3) % 2 * 20
                                   : 150 + (int)(test_random(&seed) % 8));
        }
}

static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void process(struct side *side, const rvos_image *image, const rvos_labels *out,
                    int t, int pass)
{
    double begin = cpu_ms(), ms;
    rvos_stream_info info;

    CHECK(rvos_stream_process(side->stream, image, &(rvos_output){.labels = out}) == 0);
    ms = cpu_ms() - begin;
    rvos_stream_get_info(side->stream, &info);
    if (t < WARM_UP)
        return;
    CHECK(info.live == SLOTS);
    t -= WARM_UP;
    side->ms[t] = pass == 0 || ms < side->ms[t] ? ms : side->ms[t];
    side->discovery[t] = info.discovering;
}

static void play(struct side side[2], int w, int h, int frames, int pass)
{
    uint8_t *rgb = malloc((size_t)w * h * 3), *mask = malloc((size_t)w * h);
    uint8_t *labels = malloc((size_t)w * h);
    rvos_labels seed = {.width = w, .height = h, .data = mask, .stride = w};
    rvos_labels out = {.width = w, .height = h, .data = labels, .stride = w};
    rvos_image image = rgb_image(rgb, w, h);

    for (int i = 0; i < 2; i++)
        rvos_stream_reset(side[i].stream);
    for (int t = 0; t < WARM_UP + frames; t++) {
        paint(rgb, mask, w, h, t);
        for (int i = 0; i < 2; i++) {
            struct side *now = &side[(t + i) % 2];

            if (t == 0)
                CHECK(rvos_stream_seed(now->stream, &seed, RVOS_ALL_SLOTS) == 0);
            process(now, &image, &out, t, pass);
        }
    }
    free(labels);
    free(mask);
    free(rgb);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const struct side *automatic, const struct side *peer, int frames)
{
    double sum[2] = {0}, following[MOST], discovery[MOST], worst = 0, usual;
    int n[2] = {0};

    for (int t = 0; t < frames; t++) {
        sum[0] += automatic->ms[t];
        sum[1] += peer->ms[t];
        if (automatic->discovery[t])
            discovery[n[1]++] = automatic->ms[t];
        else
            following[n[0]++] = automatic->ms[t];
        worst = fmax(worst, automatic->ms[t] / peer->ms[t]);
    }
    qsort(following, (size_t)n[0], sizeof(following[0]), by_value);
    qsort(discovery, (size_t)n[1], sizeof(discovery[0]), by_value);
    usual = following[n[0] / 2];
    printf("%d frames, %d discoveries: %.2f ms a frame, one-shot %.2f ms: %.3f\n", frames,
           n[1], sum[0] / frames, sum[1] / frames, sum[0] / sum[1]);
    printf(
        "following %.2f ms; discovery %.2f to %.2f ms, median %.2f: %.2f, worst %.2f\n",
        usual, n[1] ? discovery[0] : 0, n[1] ? discovery[n[1] - 1] : 0,
        n[1] ? discovery[n[1] / 2] : 0, n[1] ? discovery[n[1] / 2] / usual : 0, worst);
}

int main(int argc, char **argv)
{
    static struct side side[2] = {{.task = RVOS_TASK_AUTO}, {.task = RVOS_TASK_ONE_SHOT}};
    int w = argc > 3 ? atoi(argv[2]) : 224, h = argc > 3 ? atoi(argv[3]) : 128;
    int frames = argc > 4 ? atoi(argv[4]) : 300, passes = argc > 5 ? atoi(argv[5]) : 3;
    rvos_device *device;
    rvos_model *model = NULL;

    if (argc < 2 || access(argv[1], R_OK) || frames < 1 || frames > MOST)
        return test_skip("usage: followcost MODEL [WIDTH HEIGHT [FRAMES [PASSES]]]");
    device = open_device("cpu", 1, &log_);
    if (device)
        CHECK(rvos_model_load(&model, device, argv[1],
                              &(rvos_model_params){.width = w, .height = h}) == 0);
    for (int i = 0; model && i < 2; i++)
        side[i].stream = open_stream(model, side[i].task, SLOTS);
    for (int pass = 0; side[0].stream && side[1].stream && pass < passes; pass++)
        play(side, w, h, frames, pass);
    if (side[0].stream && side[1].stream && passes > 0)
        report(&side[0], &side[1], frames);
    for (int i = 0; i < 2; i++)
        rvos_stream_close(&side[i].stream);
    close_handles(NULL, &model, &device);
    return test_done();
}
