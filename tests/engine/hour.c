/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hour.c - runs a long live video in the task auto, in which objects come and go: serial
 * numbers only grow, slots become free again, and memory does not grow.
 *
 *     hour MODEL [MINUTES] [WIDTH HEIGHT]
 *
 * MINUTES is the length of the video, at 30 frames a second; it runs at full speed. */
#include <math.h>
#include <unistd.h>

#include "fixture.h"

enum { SLOTS = 5, ACTORS = 4, FPS = 30 };

/* An object that enters at a side, stays, leaves at the other side, and stays away. */
static const struct actor {
    int period, phase; /* frames */
    double y, size;    /* shares of the frame's height */
    uint8_t rgb[3];
} actor[ACTORS] = {
    {230, 200, 0.30, 0.30, {200, 40, 30}},
    {310, 150, 0.70, 0.35, {30, 60, 200}},
    {270, 60, 0.55, 0.25, {240, 210, 30}},
    {410, 330, 0.35, 0.40, {20, 120, 50}},
};

/* The middle of an actor as a share of the width; below -1: it is away. */
static double place(const struct actor *a, int t)
{
    double at = (double)((t + a->phase) % a->period) / a->period;

    if (at > 0.6)
        return -2;
    return at < 0.2   ? -0.2 + at * 3.5
           : at < 0.4 ? 0.5 + 0.02 * sin(t / 5.0)
                      : 0.5 + (at - 0.4) * 3.5;
}

static void make_scene(uint8_t *rgb, int w, int h, int t)
{
    uint64_t seed = (uint64_t)t + 1;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *p = rgb + ((size_t)y * w + x) * 3;

            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)(150 + 40 * y / h + (int)(test_random(&seed) % 4));
            for (int k = 0; k < ACTORS; k++) {
                double dx = x - place(&actor[k], t) * w, dy = y - actor[k].y * h;

                if (dx * dx + dy * dy > pow(actor[k].size * h / 2, 2))
                    continue;
                for (int c = 0; c < 3; c++) /* stripes */
                    p[c] =
                        (uint8_t)(actor[k].rgb[c] * ((int)(dy + 99) % 6 < 3 ? 1 : 0.8));
            }
        }
}

static long resident_kib(void)
{
    return process_bytes(true) / 1024;
}

struct tally {
    uint64_t serial[SLOTS], newest;
    int objects, freed, wrong; /* numbers given; slots that became free; faults */
};

/* Checks the slots of a frame. */
static void look(rvos_stream *stream, struct tally *tally)
{
    uint64_t newest = tally->newest;

    for (int k = 0; k < SLOTS; k++) {
        rvos_object object = object_of(stream, k + 1);

        if (object.serial == tally->serial[k])
            continue;
        if (!object.serial) {
            tally->freed++;
        } else {
            tally->wrong += object.serial <= tally->newest;
            tally->objects++;
        }
        newest = object.serial > newest ? object.serial : newest;
        tally->serial[k] = object.serial;
    }
    tally->newest = newest;
}

static void play(rvos_stream *stream, int w, int h, int frames)
{
    uint8_t *rgb = malloc((size_t)w * h * 3), *labels = malloc((size_t)w * h);
    rvos_labels out = {.width = w, .height = h, .data = labels, .stride = w};
    rvos_image image = rgb_image(rgb, w, h);
    struct tally tally = {.newest = 0};
    long settled = 0;

    for (int t = 0; t < frames && !tally.wrong; t++) {
        make_scene(rgb, w, h, t);
        CHECK(rvos_stream_process(stream, &image, &(rvos_output){.labels = &out}) == 0);
        look(stream, &tally);
        if (t == frames / 5)
            settled = resident_kib();
        if ((t + 1) % (5 * 60 * FPS) == 0)
            printf("minute %d: %d objects, %d slots freed, %ld KiB\n",
                   (t + 1) / (60 * FPS), tally.objects, tally.freed, resident_kib());
    }
    printf("%d frames: %d objects, %d slots freed, %ld KiB, then %ld KiB\n", frames,
           tally.objects, tally.freed, settled, resident_kib());
    test_note(CHECK(!tally.wrong), "a serial number was used again");
    CHECK(tally.objects > frames / 200 && tally.freed > frames / 600);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(resident_kib() - settled < 1024);
#endif
    free(rgb);
    free(labels);
}

int main(int argc, char **argv)
{
    double minutes = argc > 2 ? atof(argv[2]) : 60;
    int w = argc > 4 ? atoi(argv[3]) : 112, h = argc > 4 ? atoi(argv[4]) : 64;
    rvos_device *device;
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;

    if (argc < 2 || access(argv[1], R_OK))
        return test_skip("usage: hour MODEL [MINUTES] [WIDTH HEIGHT]");
    setvbuf(stdout, NULL, _IOLBF, 0); /* a log file shows where it is */
    device = open_device("cpu", 2, &log_);
    if (device)
        CHECK(rvos_model_load(&model, device, argv[1],
                              &(rvos_model_params){.width = w, .height = h}) == 0);
    if (model)
        stream = open_stream(model, RVOS_TASK_AUTO, SLOTS);
    if (stream)
        play(stream, w, h, (int)(minutes * 60 * FPS));
    close_handles(&stream, &model, &device);
    return test_done();
}
