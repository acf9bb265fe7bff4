/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* best.c - tests the choice of a convolution's engine, with fake engines and a fake
 * clock: the fastest is chosen. If time ends first, the next run continues and tries
 * nothing twice. */
#include <string.h>

#include "conv/cache.h"
#include "idle_device.h"
#include "../test.h"

#define TILINGS 5

static struct {
    float tile[TILINGS], library; /* ms; library below 0: there is none */
    int timed[TILINGS], timed_library;
} world;

static rvos_device device;
static struct cuda_device cuda = {.library = "made up"};

/* ---- engines ---------------------------------------------------------------------- */

struct rv_conv {
    int tiling; /* -1: the library's */
};
static struct rv_conv own, other = {-1};

static int create_own(struct rv_conv **out, rvos_device *dev, void *opened,
                      const struct rv_conv_shape *s, struct rv_weights *w, int index)
{
    *out = &own;
    return 0;
}

static int create_other(struct rv_conv **out, rvos_device *dev, void *opened,
                        const struct rv_conv_shape *s, struct rv_weights *w, int index)
{
    create_own(out, dev, opened, s, w, index);
    *out = world.library < 0 ? NULL : &other;
    return world.library < 0 ? RVOS_ERR_UNSUPPORTED : 0;
}

static int run(struct rv_conv *c, const struct rv_conv_io *io, cudaStream_t stream)
{
    if (c == &other)
        world.timed_library++;
    else
        world.timed[c->tiling]++;
    return 0;
}

static size_t workspace_bytes(const struct rv_conv *c)
{
    return 0;
}

static void destroy(struct rv_conv *c)
{
}

const struct rv_conv_engine rv_conv_tile = {.create = create_own,
                                            .run = run,
                                            .workspace_bytes = workspace_bytes,
                                            .destroy = destroy};
static const struct rv_conv_engine library = {.create = create_other,
                                              .run = run,
                                              .workspace_bytes = workspace_bytes,
                                              .destroy = destroy};
const struct rv_conv_engine rv_conv_plain;

int rv_conv_tilings(const struct rv_conv_shape *s, struct rv_tiling out[RV_TILINGS])
{
    for (int i = 0; i < TILINGS; i++)
        out[i] = (struct rv_tiling){64, 64, 1 + i};
    return TILINGS;
}

void rv_conv_tile_set(struct rv_conv *c, struct rv_tiling tiling)
{
    c->tiling = tiling.parts - 1;
}

int rv_tiling_code(struct rv_tiling tiling)
{
    return 100 + tiling.parts;
}

bool rv_tiling_of_code(const struct rv_conv_shape *s, int code, struct rv_tiling *out)
{
    *out = (struct rv_tiling){64, 64, code - 100};
    return code > 100 && code <= 100 + TILINGS;
}

/* ---- a clock and a GPU ------------------------------------------------------------ */

float rv_conv_time(rvos_device *dev, int (*f)(void *opaque, cudaStream_t stream),
                   void *opaque)
{
    int before = world.timed_library;

    f(opaque, NULL);
    idle.clock += 1; /* each timing takes a second */
    return world.timed_library > before ? world.library : world.tile[own.tiling];
}

const char *rv_driver_name(const struct rv_driver *driver)
{
    return "GPU";
}

int rv_driver_capability(const struct rv_driver *driver)
{
    return 90;
}

/* ---- runs ------------------------------------------------------------------------- */

/* The choice of a new process that has time for so many timings: the tiling, or -1 for
 * the library. It asks twice, because the second step of a shape has no share of the
 * time. */
static int take(int width, double share)
{
    struct rv_conv_shape s = {.n = 1, .iw = width, .in = RV_F16};
    struct rv_made made = {0}, again = {0};
    int tiling;

    memset(world.timed, 0, sizeof(world.timed));
    world.timed_library = 0;
    idle.share = share;
    cuda.best = rv_conv_best_open(&device);
    cuda.search_share = 0.5;
    CHECK(rv_conv_make(&device, &s, NULL, 0, &made) == 0);
    tiling = made.engine == &library ? -1 : made.conv->tiling;
    if (!idle.no_memory) {
        int timed = world.timed_library + world.timed[0];

        cuda.search_share = 0;
        CHECK(rv_conv_make(&device, &s, NULL, 0, &again) == 0);
        CHECK(again.engine == made.engine && again.conv == made.conv);
        CHECK(timed == world.timed_library + world.timed[0]);
    }
    rv_conv_best_close(cuda.best);
    rv_search_flush(&device);
    return tiling;
}

static int all_timed(void)
{
    int n = 0;

    for (int i = 0; i < TILINGS; i++)
        n += world.timed[i];
    return n;
}

static void whole(void)
{
    CHECK(take(1, 100) == 3 && all_timed() == TILINGS && world.timed_library == 1);
    CHECK(take(1, 100) == 3 && all_timed() == 0 && world.timed_library == 0);
    world.library = 0.5f;
    CHECK(take(2, 100) == -1 && all_timed() == TILINGS);
    CHECK(take(2, 100) == -1 && all_timed() == 0);
    world.library = 9;
}

static void in_parts(void)
{
    CHECK(take(3, 3) == 1); /* the library, 0 and 1 */
    CHECK(world.timed[0] == 1 && world.timed[1] == 1 && all_timed() == 2);
    CHECK(take(3, 3) == 1); /* the library, 1 again, and 2 */
    CHECK(world.timed[1] == 1 && world.timed[2] == 1 && all_timed() == 2);
    CHECK(take(3, 4) == 3);
    CHECK(world.timed[1] == 1 && world.timed[3] == 1 && world.timed[4] == 1);
    CHECK(take(3, 100) == 3 && all_timed() == 0);
    world.library = -1; /* without one */
    CHECK(take(4, 1) == 0 && all_timed() == 1);
    CHECK(take(4, 100) == 3 && all_timed() == 5);
    CHECK(take(4, 100) == 3 && all_timed() == 0);
    /* The stored best is slower than the library now. */
    world.library = 9;
    CHECK(take(5, 2) == 0);
    world.library = 0.5f;
    CHECK(take(5, 100) == -1 && world.timed[0] == 1 && all_timed() == 5);
    world.library = 9;
    /* Without memory nothing is measured and nothing is stored. */
    idle.no_memory = true;
    CHECK(take(6, 100) == -1 && all_timed() == 0);
    idle.no_memory = false;
    CHECK(take(6, 100) == 3);
}

int main(void)
{
    setenv("XDG_CACHE_HOME", test_folder(), 1);
    cuda.store = rv_cache_open("t");
    device.priv = &cuda;
    cuda.engine = &library;
    world.library = 9;
    memcpy(world.tile, (float[TILINGS]){4, 2, 3, 1, 5}, sizeof(world.tile));
    whole();
    in_parts();
    rv_cache_close(cuda.store);
    return test_done();
}
