/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chaos [SECONDS [SEED [STREAMS]]]: random actions at any time, from several threads.
 *
 * Sanitizers find the faults. The program itself fails if a call hangs, if an error or a
 * GLib warning comes, or if a stream gives no frames at the end. RVOSSEG_CHAOS_SECONDS
 * and RVOSSEG_CHAOS_SEED are the defaults of the arguments. A seed repeats the actions of
 * each thread, but not the timing between threads. */
#include "chaos.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_STREAMS 4
#define MOST_ACTIONS 8
#define TABLES 3
#define PATIENCE (120 * G_USEC_PER_SEC) /* a call that takes longer hangs */

/* A thread that picks actions from one table for one bench. */
typedef struct {
    ChaosBench *bench;
    const ChaosAction *actions;
    GRand *rand;
    GThread *thread;
    GMutex lock;
    const gchar *doing; /* NULL: nothing; under the lock */
    gint64 since;
    gint ended; /* atomic */
    guint64 count[MOST_ACTIONS];
} Doer;

static Doer doers[MOST_STREAMS * TABLES];
static guint n_doers;
static gint stopping, complaints; /* atomic */

static guint pick(Doer *doer)
{
    guint sum = 0, i = 0;
    gint32 at;

    for (const ChaosAction *a = doer->actions; a->name; a++)
        sum += a->weight;
    at = g_rand_int_range(doer->rand, 0, (gint32)sum);
    while (at >= (gint32)doer->actions[i].weight)
        at -= (gint32)doer->actions[i++].weight;
    return i;
}

static void note(Doer *doer, const gchar *doing)
{
    g_mutex_lock(&doer->lock);
    doer->doing = doing;
    doer->since = g_get_monotonic_time();
    g_mutex_unlock(&doer->lock);
}

static gpointer run(gpointer user)
{
    Doer *doer = user;

    while (!g_atomic_int_get(&stopping)) {
        guint i = pick(doer);

        note(doer, doer->actions[i].name);
        doer->actions[i].act(doer->bench, doer->rand);
        note(doer, NULL);
        doer->count[i]++;
        g_usleep((gulong)g_rand_int_range(doer->rand, 0, 30000));
    }
    g_atomic_int_set(&doer->ended, TRUE);
    return NULL;
}

static void look_for_hangs(void)
{
    for (guint i = 0; i < n_doers; i++) {
        Doer *doer = &doers[i];
        const gchar *doing;

        g_mutex_lock(&doer->lock);
        doing = g_get_monotonic_time() - doer->since > PATIENCE ? doer->doing : NULL;
        g_mutex_unlock(&doer->lock);
        if (doing) {
            printf("stream %u hangs in %s\n", doer->bench->index, doing);
            fflush(stdout);
            abort(); /* a debugger or a core file shows where */
        }
    }
}

static void start(ChaosBench *bench, const ChaosAction *actions, guint32 seed)
{
    Doer *doer = &doers[n_doers];

    doer->bench = bench;
    doer->actions = actions;
    doer->rand = g_rand_new_with_seed(seed + n_doers + 1);
    g_mutex_init(&doer->lock);
    n_doers++;
    doer->thread = g_thread_new("doer", run, doer);
}

static void stop(void)
{
    g_atomic_int_set(&stopping, TRUE);
    for (guint i = 0; i < n_doers; i++) {
        while (!g_atomic_int_get(&doers[i].ended)) {
            look_for_hangs();
            g_usleep(1000);
        }
        g_thread_join(doers[i].thread);
        g_rand_free(doers[i].rand);
    }
}

static void report(void)
{
    guint64 all = 0;

    for (guint table = 0; table < TABLES; table++) {
        for (guint a = 0; doers[table].actions[a].name; a++) {
            guint64 sum = 0;

            for (guint i = table; i < n_doers; i += TABLES)
                sum += doers[i].count[a];
            printf("%s %" G_GUINT64_FORMAT ", ", doers[table].actions[a].name, sum);
            all += sum;
        }
    }
    printf("%" G_GUINT64_FORMAT " in all\n", all);
}

static void on_log(const gchar *domain, GLogLevelFlags level, const gchar *text,
                   G_GNUC_UNUSED gpointer user)
{
    if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
        g_atomic_int_inc(&complaints);
    printf("%s: %s\n", domain ? domain : "", text);
}

static const gchar *argument(int argc, char **argv, int i, const gchar *variable,
                             const gchar *otherwise)
{
    const gchar *value = argc > i ? argv[i] : g_getenv(variable);

    return value ? value : otherwise;
}

/* Load plugins by name: a scan would load all plugins of the machine under a sanitizer.
 */
static void load_plugins(void)
{
    static const gchar *const names[] = {"libgstcoreelements.so",
                                         "libgstvideotestsrc.so"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        gchar *path = g_build_filename(PLUGINS_DIR, names[i], NULL);
        GstPlugin *plugin = gst_plugin_load_file(path, NULL);

        if (!plugin)
            g_error("%s cannot be loaded", path);
        gst_object_unref(plugin);
        g_free(path);
    }
}

static gboolean end_benches(ChaosBench **benches, guint n)
{
    gboolean good = TRUE;

    for (guint i = 0; i < n; i++) {
        good &= chaos_bench_lives(benches[i]);
        printf("stream %u: %d frames, %d masks\n", i,
               g_atomic_int_get(&benches[i]->frames),
               g_atomic_int_get(&benches[i]->masks));
        chaos_bench_free(benches[i]);
    }
    return good && g_atomic_int_get(&complaints) == 0;
}

int main(int argc, char **argv)
{
    static const ChaosAction *const tables[TABLES] = {chaos_pads, chaos_stream,
                                                      chaos_settings};
    guint seconds = (guint)atoi(argument(argc, argv, 1, "RVOSSEG_CHAOS_SECONDS", "5"));
    guint32 seed = (guint32)atoi(argument(argc, argv, 2, "RVOSSEG_CHAOS_SEED", "0"));
    guint streams = (guint)atoi(argument(argc, argv, 3, "RVOSSEG_CHAOS_STREAMS", "0"));
    ChaosBench *benches[MOST_STREAMS];
    gboolean batch;
    GRand *rand;

    gst_init(NULL, NULL);
    load_plugins();
    g_log_set_default_handler(on_log, NULL);
    if (seed == 0)
        seed = (guint32)g_random_int_range(1, G_MAXINT);
    rand = g_rand_new_with_seed(seed);
    streams = streams ? MIN(streams, MOST_STREAMS)
                      : (guint)g_rand_int_range(rand, 2, MOST_STREAMS + 1);
    batch = g_rand_boolean(rand);
    printf("seed %u, %u s, %u streams, batch %d\n", seed, seconds, streams, batch);
    fflush(stdout);
    for (guint i = 0; i < streams; i++)
        benches[i] = chaos_bench_new(i, rand, batch);
    for (guint i = 0; i < streams * TABLES; i++)
        start(benches[i / TABLES], tables[i % TABLES], seed);
    for (guint i = 0; i < seconds * 2; i++) {
        g_usleep(G_USEC_PER_SEC / 2);
        look_for_hangs();
    }
    stop();
    report();
    g_rand_free(rand);
    return end_benches(benches, streams) ? 0 : 1;
}
