/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the time of each step of a frame. Times are CPU time of all threads, so rates
 * and peak are those of one thread. */
#include <stdlib.h>

#include "bench.h"
#include "escape.h"

static json_t *step_json(const rvos_step *s, double peak)
{
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

json_t *bench_steps(rvos_stream *stream, double peak, int *status)
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
        json_array_append_new(out, step_json(&step[i], peak));
    free(step);
    return out;
}

static double get(const json_t *step, const char *key)
{
    return json_number_value(json_object_get(step, key));
}

static void print_one(const json_t *step, double all)
{
    char name[128], way[64], peak[16] = "-", rate[16] = "-";

    escape_text(name, sizeof name, json_string_value(json_object_get(step, "name")));
    escape_text(way, sizeof way, json_string_value(json_object_get(step, "way")));
    if (json_object_get(step, "gflops"))
        snprintf(rate, sizeof rate, "%.1f", get(step, "gflops"));
    if (json_object_get(step, "of_peak"))
        snprintf(peak, sizeof peak, "%.0f", 100 * get(step, "of_peak"));
    printf("  %-36s %-14s %5.0f %8.3f %6.1f %8.3f %8s %6s %8.2f %7.1f\n", name, way,
           get(step, "parts"), get(step, "ms"), all > 0 ? 100 * get(step, "ms") / all : 0,
           get(step, "gmacs"), rate, peak, get(step, "mb"),
           get(step, "ms") > 0 ? get(step, "mb") / get(step, "ms") : 0);
}

void bench_print_steps(const json_t *result)
{
    const json_t *steps = json_object_get(result, "steps");
    double all = 0;

    for (size_t i = 0; i < json_array_size(steps); i++)
        all += get(json_array_get(steps, i), "ms");
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
