/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "folders.h"
#include "json_file.h"

static const char *word(const json_t *result, const char *key)
{
    const char *text = json_string_value(json_object_get(result, key));

    return text ? text : "?";
}

static int number(const json_t *result, const char *key)
{
    return (int)json_integer_value(json_object_get(result, key));
}

static double real(const json_t *result, const char *key)
{
    return json_number_value(json_object_get(result, key));
}

static double latency(const json_t *result, const char *key)
{
    return real(json_object_get(result, "latency_ms"), key);
}

/* A text that describes a result's case, for people and to find equal cases. */
static char *bench_label(const json_t *result)
{
    char batch[16] = "", encoder[64], task[64], precision[64];

    if (number(result, "max_batch") > 1)
        snprintf(batch, sizeof batch, " b%d", number(result, "max_batch"));
    escape_text(encoder, sizeof encoder, word(result, "encoder"));
    escape_text(task, sizeof task, word(result, "task"));
    escape_text(precision, sizeof precision, word(result, "precision"));
    return text_format("%s h%d %s N=%d %dx%d %s x%d%s", encoder, number(result, "hidden"),
                       task, number(result, "objects"), number(result, "width"),
                       number(result, "height"), precision, number(result, "streams"),
                       batch);
}

void bench_print_head(void)
{
    printf("%-10s %3s  %-46s %8s %8s %8s %8s %7s %7s\n", "engine", "thr",
           "network, task, objects, size, streams", "p50 ms", "p95", "p99", "fps",
           "roof %", "MB");
}

void bench_print(const json_t *result)
{
    char *label = bench_label(result);

    printf("%-10s %3d  %-46s %8.2f %8.2f %8.2f %8.2f", word(result, "engine"),
           number(result, "threads"), label ? label : "", latency(result, "p50"),
           latency(result, "p95"), latency(result, "p99"), real(result, "fps"));
    if (json_object_get(result, "roofline"))
        printf(" %7.1f", 100 * real(result, "roofline"));
    else
        printf(" %7s", "-");
    printf(" %7.0f\n", real(result, "peak_rss_mb"));
    free(label);
    fflush(stdout);
}

static int bench_load(json_t **root, json_t **results, const char *path,
                      struct fault *fault)
{
    int err = json_read(root, path, "a file of rvos-bench --json", fault);

    if (err)
        return err;
    *results = json_object_get(*root, "results");
    if (json_is_array(*results))
        return 0;
    json_decref(*root);
    return fault_set(fault, TOOL_INPUT, path,
                     "has no \"results\": give a file of rvos-bench --json");
}

/* ---- comparing ---------------------------------------------------------- */

/* Half the range of the medians of all processes: differences below this may be
 * chance. */
static double spread(const json_t *result)
{
    json_t *runs = json_object_get(result, "p50_runs");
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < json_array_size(runs); i++) {
        double v = json_number_value(json_array_get(runs, i));

        low = fmin(low, v);
        high = fmax(high, v);
    }
    return json_array_size(runs) > 1 ? (high - low) / 2 : 0;
}

static bool is_like(const json_t *other, const char *label, int threads)
{
    char *theirs = bench_label(other);
    bool same = theirs && !strcmp(theirs, label) && number(other, "threads") == threads;

    free(theirs);
    return same;
}

static void print_pair(const char *label, const json_t *a, const json_t *b)
{
    double x = latency(a, "p50"), y = latency(b, "p50");
    bool tie = fabs(x - y) <= spread(a) + spread(b);
    char mine[64], other[64];

    printf("%-46s %10s %14s %9.2f %9.2f %7.2fx %9.2f %9.2f %7.2fx %s\n", label,
           escape_text(mine, sizeof mine, word(a, "engine")),
           escape_text(other, sizeof other, word(b, "engine")), x, y, y > 0 ? x / y : 0,
           real(a, "fps"), real(b, "fps"),
           real(a, "fps") > 0 ? real(b, "fps") / real(a, "fps") : 0,
           tie     ? "tie"
           : y < x ? "B is faster"
                   : "A is faster");
}

int bench_compare(const char *a_path, const char *b_path, struct fault *fault)
{
    char a_name[ESCAPE_ROOM], b_name[ESCAPE_ROOM];
    json_t *a_root, *b_root, *a, *b;
    int pairs = 0, err = bench_load(&a_root, &a, a_path, fault);

    if (err)
        return err;
    err = bench_load(&b_root, &b, b_path, fault);
    if (err) {
        json_decref(a_root);
        return err;
    }
    printf("A %s\nB %s\n\n%-46s %10s %14s %9s %9s %8s %9s %9s %8s\n",
           escape_text(a_name, sizeof a_name, a_path),
           escape_text(b_name, sizeof b_name, b_path),
           "network, task, objects, size, streams", "A", "B", "p50 A ms", "p50 B", "A/B",
           "fps A", "fps B", "B/A");
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *mine = json_array_get(a, i);
        char *label = bench_label(mine);
        bool found = false;

        for (size_t k = 0; k < json_array_size(b) && label; k++) {
            const json_t *other = json_array_get(b, k);

            if (!is_like(other, label, number(mine, "threads")))
                continue;
            print_pair(label, mine, other);
            found = true;
        }
        pairs += found;
        free(label);
    }
    printf(
        "\n%d of %zu results of A have their like in B. A difference within the spread "
        "of the processes is a tie.\n",
        pairs, json_array_size(a));
    json_decref(a_root);
    json_decref(b_root);
    if (pairs)
        return 0;
    return fault_set(fault, TOOL_INPUT, b_path, "has no result like one of %s", a_path);
}

/* ---- steps -------------------------------------------------------------- */

/* The peak for what the step multiplies: a convolution's way ends in "int16" or "int8" if
 * it is done in integers. */
static double peak_of_step(const rvos_step *s, const struct bench_peaks *peaks)
{
    const char *last = strrchr(s->way, ' ');

    last = last ? last + 1 : s->way;
    return !strcmp(last, "int16")  ? peaks->int16
           : !strcmp(last, "int8") ? peaks->int8
                                   : peaks->fp32;
}

/* Times are CPU time of all threads, so rates and peaks are those of one thread. */
static json_t *step_json(const rvos_step *s, const struct bench_peaks *peaks)
{
    double peak = peak_of_step(s, peaks);
    json_t *out = json_pack("{s:s, s:s, s:i, s:f, s:f, s:f}", "name", s->name, "way",
                            s->way, "parts", s->parts, "ms", 1e3 * s->seconds, "mb",
                            1e-6 * s->bytes, "gmacs", 1e-9 * s->macs);

    if (!out || s->seconds <= 0 || s->flops <= 0)
        return out;
    json_object_set_new(out, "gflops", json_real(1e-9 * s->flops / s->seconds));
    if (peak > 0)
        json_object_set_new(out, "of_peak",
                            json_real(1e-9 * s->flops / s->seconds / peak));
    return out;
}

json_t *bench_steps(rvos_stream *stream, const struct bench_peaks *peaks, int *status)
{
    int n = rvos_stream_read_steps(stream, NULL, 0);
    rvos_step *step = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *step);
    json_t *out = NULL;

    *status = n < 0 ? n : step ? 0 : RVOS_ERR_MEMORY;
    if (!*status)
        n = rvos_stream_read_steps(stream, step, n);
    if (!*status && n < 0)
        *status = n;
    if (!*status)
        out = json_array();
    for (int i = 0; i < n && out; i++)
        json_array_append_new(out, step_json(&step[i], peaks));
    free(step);
    return out;
}

static void print_one(const json_t *step, double all)
{
    char name[128], way[64], peak[16] = "-", rate[16] = "-";

    escape_text(name, sizeof name, json_string_value(json_object_get(step, "name")));
    escape_text(way, sizeof way, json_string_value(json_object_get(step, "way")));
    if (json_object_get(step, "gflops"))
        snprintf(rate, sizeof rate, "%.1f", real(step, "gflops"));
    if (json_object_get(step, "of_peak"))
        snprintf(peak, sizeof peak, "%.0f", 100 * real(step, "of_peak"));
    printf("  %-36s %-14s %5.0f %8.3f %6.1f %8.3f %8s %6s %8.2f %7.1f\n", name, way,
           real(step, "parts"), real(step, "ms"),
           all > 0 ? 100 * real(step, "ms") / all : 0, real(step, "gmacs"), rate, peak,
           real(step, "mb"),
           real(step, "ms") > 0 ? real(step, "mb") / real(step, "ms") : 0);
}

void bench_print_steps(const json_t *result)
{
    const json_t *steps = json_object_get(result, "steps");
    double all = 0;

    for (size_t i = 0; i < json_array_size(steps); i++)
        all += real(json_array_get(steps, i), "ms");
    if (!json_array_size(steps))
        return;
    printf("  %-36s %-14s %5s %8s %6s %8s %8s %6s %8s %7s\n", "step", "convolution by",
           "parts", "ms", "%", "GMAC", "GFLOP/s", "peak %", "MB", "GB/s");
    for (size_t i = 0; i < json_array_size(steps); i++)
        print_one(json_array_get(steps, i), all);
    printf("  %-36s %-14s %5s %8.3f  ms of CPU time of all threads; %.3f for each of "
           "%d\n",
           "together", "", "", all,
           all / (double)json_integer_value(json_object_get(result, "threads")),
           (int)json_integer_value(json_object_get(result, "threads")));
    fflush(stdout);
}
