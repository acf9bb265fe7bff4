/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and releases the pad `mask` while the stream flushes, begins, ends and stops,
 * in all orders of two short lists of steps: the application's and the stream's.
 * flushbench.h has the steps. */
#include "flushbench.h"

#include <string.h>

#define PATIENCE (20 * G_USEC_PER_SEC) /* a step that takes longer hangs */

/* ---- a schedule -------------------------------------------------------------- */

static void want_mask(Bench *bench)
{
    if (!bench->mask)
        bench_application_step(bench, 'r');
    else if (!gst_pad_is_linked(bench->mask))
        bench_application_step(bench, 'l');
}

/* A mask must come after any steps: after one more flush, or when the branch plays, which
 * ends preroll. Returns the fault, or NULL. */
static const gchar *check_life(Bench *bench, gboolean flush)
{
    guint before;

    if (flush)
        bench_stream_step(bench, 'F');
    else
        bench_set_branch(bench, GST_STATE_PLAYING);
    want_mask(bench);
    if (bench->flush)
        bench_stream_step(bench, 'f');
    bench_stream_step(bench, 'T');
    before = bench_masks_seen(bench);
    bench_stream_step(bench, 'S');
    bench_stream_step(bench, 'B');
    bench_join_frame(bench);
    if (bench->wrong)
        return bench->wrong;
    return bench_masks_seen(bench) > before ? NULL : "no mask any more";
}

typedef struct {
    gchar steps[32];
    gint done; /* steps so far; atomic */
    gint ended;
    gboolean flush; /* at the end */
    const gchar *wrong;
} Schedule;

static gpointer run_schedule(gpointer user)
{
    Schedule *schedule = user;
    Bench *bench = bench_new();

    for (const gchar *step = schedule->steps; *step; step++) {
        if (strchr("rRxulsb", *step))
            bench_application_step(bench, *step);
        else
            bench_stream_step(bench, *step);
        g_atomic_int_inc(&schedule->done);
    }
    schedule->wrong = check_life(bench, schedule->flush);
    bench_free(bench);
    g_atomic_int_set(&schedule->ended, TRUE);
    return NULL;
}

static void watch_schedule(Schedule *schedule)
{
    GThread *thread = g_thread_new("schedule", run_schedule, schedule);
    gint64 until = g_get_monotonic_time() + PATIENCE;

    GST_INFO("%s", schedule->steps);
    while (!g_atomic_int_get(&schedule->ended)) {
        fail_unless(g_get_monotonic_time() < until, "%s hangs after %d steps",
                    schedule->steps, g_atomic_int_get(&schedule->done));
        g_usleep(200);
    }
    g_thread_join(thread);
    fail_unless(schedule->wrong == NULL, "%s: the branch got %s", schedule->steps,
                schedule->wrong);
}

/* ---- all orders -------------------------------------------------------------- */

/* Bit i of `order` says whose step i is. FALSE: not an order of the two lists. */
static gboolean merge(const gchar *application, const gchar *stream, guint order,
                      gchar *steps)
{
    gsize n = strlen(application) + strlen(stream);

    for (gsize i = 0; i < n; i++) {
        const gchar **from = order & 1u << i ? &application : &stream;

        if (**from == 0)
            return FALSE;
        steps[i] = *(*from)++;
    }
    steps[n] = 0;
    return TRUE;
}

static void all_orders(const gchar *application, const gchar *stream)
{
    /* Under valgrind, which is slow, only a sample of the orders runs. */
    guint step = g_strcmp0(g_getenv("CK_FORK"), "no") == 0 ? 13 : 1, seen = 0;
    gsize n = strlen(application) + strlen(stream);
    gboolean ends = strchr(stream, 'E') != NULL; /* only a flush revives a queue */

    for (guint order = 0; order < 1u << n; order++) {
        Schedule schedule = {.flush = ends || seen % 2};

        if (merge(application, stream, order, schedule.steps) && seen++ % step == 0)
            watch_schedule(&schedule);
    }
}

static const gchar *const lists[][2] = {
    {"xr", "FfSB"},   {"Rr", "HFGfSB"},    {"ul", "HFGfSB"}, {"xr", "HFGfSB"},
    {"xrxr", "FfSB"}, {"xrul", "FfFf"},    {"xbr", "FfSB"},  {"xr", "EFfSB"},
    {"ul", "TCSB"},   {"xr", "TCgSB"},     {"s", "FfSB"},    {"xsr", "FfSB"},
    {"xr", "FFfSB"},  {"Rrs", "FfSEFfSB"}, {"u", "HFGfSB"},  {"xr", "hFGfSB"},
    {"ul", "hFGfSB"}, {"ul", "BFfCSB"},
};

SUITE_LOOP(test_all_orders, G_N_ELEMENTS(lists))
{
    all_orders(lists[__i__][0], lists[__i__][1]);
}
GST_END_TEST;

SUITE_MAIN("flush", 120, scripted_clear, NULL)
