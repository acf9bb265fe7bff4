/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "progress.h"

struct worker {
    struct measurement *m;
    rvos_stream *stream;
    pthread_t thread;
    double *ms;        /* milliseconds of each timed frame */
    double begin, end; /* of the timed part */
    int status;
};

struct measurement {
    const struct bench_case *c;
    const struct bench_options *options;
    struct session session;
    struct picture *frame;
    int frames;
    struct worker *worker;
    pthread_barrier_t start;
    double seconds;                           /* wall clock of the timed part */
    double load_ms, open_ms, first_ms;        /* model, stream with plan, first frame */
    double network_ms, encoder_ms, object_ms; /* stages; 0: not measured */
    json_t *steps;                            /* NULL: not wanted */
};

/* ---- running ------------------------------------------------------------ */

/* Plays the clip forwards and backwards, so that a short clip has no jump. */
static const struct picture *frame_at(const struct measurement *m, int t)
{
    int period = m->frames > 1 ? 2 * m->frames - 2 : 1;

    t %= period;
    return &m->frame[t < m->frames ? t : period - t];
}

static int process(const struct measurement *m, rvos_stream *stream, int t,
                   uint8_t *labels)
{
    const struct picture *p = frame_at(m, t);
    rvos_image image = image_of(p);
    rvos_labels out = labels_of(labels, p->width, p->height);

    return rvos_stream_process(stream, &image,
                               labels ? &(rvos_output){.labels = &out} : NULL);
}

/* Gives a one-shot stream a rectangle for every object, side by side. */
static int show_objects(rvos_stream *stream, int objects)
{
    int width = 32 * objects, height = 32, status;
    uint8_t *mask = calloc((size_t)width * (size_t)height, 1);
    rvos_labels view = labels_of(mask, width, height);

    if (!mask)
        return RVOS_ERR_MEMORY;
    for (int y = 8; y < 24; y++)
        for (int x = 0; x < width; x++)
            if (x % 32 >= 8 && x % 32 < 24)
                mask[y * width + x] = (uint8_t)(x / 32 + 1);
    status = rvos_stream_seed(stream, &view, RVOS_ALL_SLOTS);
    free(mask);
    return status;
}

static int open_stream(const struct measurement *m, int objects, rvos_stream **out)
{
    rvos_stream_info info;
    int status =
        rvos_stream_open(out, m->session.model,
                         &(rvos_stream_params){.task = m->c->task, .objects = objects});

    if (status)
        return status;
    rvos_stream_get_info(*out, &info);
    status = rvos_stream_prepare(*out, m->frame[0].width, m->frame[0].height);
    if (!status && info.task != RVOS_TASK_ZERO_SHOT)
        status = show_objects(*out, info.objects);
    return status;
}

static void *work(void *opaque)
{
    struct worker *w = opaque;
    struct measurement *m = w->m;
    int warm_up = m->options->warm_up, frames = m->options->frames;
    uint8_t *labels = malloc((size_t)m->frame[0].width * (size_t)m->frame[0].height);

    if (!labels)
        w->status = RVOS_ERR_MEMORY;
    for (int t = 0; t < warm_up && !w->status; t++)
        w->status = process(m, w->stream, t, labels);
    pthread_barrier_wait(&m->start); /* all streams are warmed up */
    w->begin = seconds_now();
    for (int t = 0; t < frames && !w->status; t++) {
        double start = seconds_now();

        w->status = process(m, w->stream, warm_up + t, labels);
        w->ms[t] = 1e3 * (seconds_now() - start);
    }
    w->end = seconds_now();
    free(labels);
    return NULL;
}

static int run_streams(struct measurement *m, struct fault *fault)
{
    int n = m->c->streams, started = 0, status = 0;
    double begin = 0, end = 0;

    pthread_barrier_init(&m->start, NULL, (unsigned)n);
    while (started < n &&
           !pthread_create(&m->worker[started].thread, NULL, work, &m->worker[started]))
        started++;
    if (started < n) {
        /* The started threads wait at the barrier for ever; the process ends with the
         * case. */
        return fault_set(fault, TOOL_ENGINE, NULL,
                         "%d of %d threads, one for each stream, could not be started: "
                         "use fewer --streams, or raise the limit of processes (ulimit "
                         "-u, a container's pids limit)",
                         n - started, n);
    }
    for (int i = 0; i < n; i++) {
        const struct worker *w = &m->worker[i];

        pthread_join(w->thread, NULL);
        status = status ? status : w->status;
        begin = i == 0 || w->begin < begin ? w->begin : begin;
        end = i == 0 || w->end > end ? w->end : end;
    }
    m->seconds = end - begin;
    pthread_barrier_destroy(&m->start);
    return status ? session_fail(&m->session, status, fault) : 0;
}

/* ---- numbers ------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* `values` must be sorted. */
static double percentile(const double *values, int n, double share)
{
    int at = (int)(share * (n - 1) + 0.5);

    return values[at];
}

/* The peak of the device for a frame of one precision in GFLOP/s; 0: unknown. */
static double peak_of(const struct measurement *m)
{
    bool known = m->session.options.precision <= RVOS_PRECISION_FP32 &&
                 strcmp(m->session.device_info.backend, "cuda");

    return m->options->peak_given || known ? m->options->peaks.fp32 : 0;
}

/* Measures the median time of frames without labels, on a stream of that many objects. */
static int time_network(struct measurement *m, int objects, double *median_ms)
{
    int n = m->options->frames < 10 ? m->options->frames : 10;
    double ms[10];
    rvos_stream *stream;
    int status = open_stream(m, objects, &stream);

    for (int t = -3; t < n && !status; t++) {
        double start = seconds_now();

        status = process(m, stream, t + 3, NULL);
        if (t >= 0)
            ms[t] = 1e3 * (seconds_now() - start);
    }
    rvos_stream_close(&stream);
    if (status)
        return status;
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    *median_ms = percentile(ms, n, 0.5);
    return 0;
}

/* The public API does not show parts of a frame. So the cost of an object is the
 * difference between runs with one and with all objects, and the rest is the encoder. */
static int time_stages(struct measurement *m)
{
    rvos_stream_info info;
    double one;
    int status = time_network(m, m->c->objects, &m->network_ms);

    rvos_stream_get_info(m->worker[0].stream, &info);
    if (status || info.objects < 2)
        return status;
    status = time_network(m, 1, &one);
    m->object_ms = (m->network_ms - one) / (info.objects - 1);
    m->encoder_ms = one - m->object_ms;
    return status;
}

/* Times the steps of some more frames of the first stream. */
static int time_steps(struct measurement *m)
{
    const struct picture *p = m->frame;
    uint8_t *labels = malloc((size_t)p->width * (size_t)p->height);
    rvos_stream *stream = m->worker[0].stream;
    struct bench_peaks peaks = bench_thread_peaks(
        m->options, m->session.options.precision, m->session.device_info.threads);
    int status = labels ? rvos_stream_time_steps(stream, true) : RVOS_ERR_MEMORY;

    for (int t = 0; t < m->options->frames && !status; t++)
        status = process(m, stream, t, labels);
    if (!status)
        m->steps = bench_steps(stream, &peaks, &status);
    free(labels);
    return status;
}

static json_t *latency_json(const double *ms, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += ms[i];
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "p50", percentile(ms, n, 0.5),
                     "p95", percentile(ms, n, 0.95), "p99", percentile(ms, n, 0.99),
                     "min", ms[0], "max", ms[n - 1], "mean", sum / n);
}

static json_t *case_json(const struct measurement *m, const rvos_stream_info *stream)
{
    const struct session *s = &m->session;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:i, s:i, s:i, "
        "s:i}",
        "engine", s->device_info.backend, "processor", s->device_info.name, "library",
        s->device_info.library, "isa", s->device_info.isa, "threads",
        s->device_info.threads, "precision", precision_word(s->options.precision),
        "model", s->options.model, "encoder", s->info.encoder, "hidden", s->info.hidden,
        "width", s->info.width, "height", s->info.height, "task", task_word(stream->task),
        "objects", stream->objects, "streams", m->c->streams, "max_batch",
        s->info.max_batch, "frames", m->options->frames * m->c->streams);
}

static json_t *stages_json(const struct measurement *m, double median)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "network", m->network_ms, "encoder",
                     m->encoder_ms, "object", m->object_ms, "labels",
                     median - m->network_ms);
}

static json_t *result_json(const struct measurement *m)
{
    const struct session *s = &m->session;
    int n = m->c->streams * m->options->frames;
    double *ms = malloc(sizeof *ms * (size_t)n), macs, rate;
    rvos_stream_info info;
    rvos_model_info model;
    struct rusage usage;
    json_t *result;

    if (!ms)
        return NULL;
    for (int i = 0; i < m->c->streams; i++)
        memcpy(ms + i * m->options->frames, m->worker[i].ms,
               sizeof *ms * (size_t)m->options->frames);
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    rvos_stream_get_info(m->worker[0].stream, &info);
    getrusage(RUSAGE_SELF, &usage);
    macs = (double)s->info.encoder_macs + info.objects * (double)s->info.object_macs;
    rate = n / m->seconds;
    result = case_json(m, &info);
    json_object_set_new(result, "latency_ms", latency_json(ms, n));
    json_object_set_new(result, "fps", json_real(rate));
    if (s->info.max_batch > 1) {
        rvos_model_get_info(s->model, &model);
        json_object_set_new(result, "frames_a_pass",
                            json_real((double)model.frames / (double)model.passes));
    }
    json_object_set_new(result, "gmacs", json_real(macs / 1e9));
    json_object_set_new(result, "gflops", json_real(2e-9 * macs * rate));
    if (peak_of(m) > 0)
        json_object_set_new(result, "roofline",
                            json_real(2e-9 * macs * rate / peak_of(m)));
    json_object_set_new(result, "peak_rss_mb", json_real((double)usage.ru_maxrss / 1024));
    json_object_set_new(result, "state_bytes",
                        json_integer((json_int_t)info.state_bytes));
    json_object_set_new(result, "start_ms",
                        json_pack("{s:f, s:f, s:f}", "load", m->load_ms, "open",
                                  m->open_ms, "first_frame", m->first_ms));
    if (m->network_ms > 0)
        json_object_set_new(result, "stages_ms", stages_json(m, percentile(ms, n, 0.5)));
    if (m->steps)
        json_object_set(result, "steps", m->steps);
    free(ms);
    return result;
}

/* ---- one process -------------------------------------------------------- */

static int prepare(struct measurement *m, struct fault *fault)
{
    double start = seconds_now();
    int status = 0, err = session_open(&m->session, &m->c->session, fault);

    if (err)
        return err;
    m->load_ms = 1e3 * (seconds_now() - start);
    m->worker = calloc((size_t)m->c->streams, sizeof *m->worker);
    for (int i = 0; m->worker && i < m->c->streams && !status; i++) {
        start = seconds_now();
        m->worker[i].m = m;
        m->worker[i].ms = calloc((size_t)m->options->frames, sizeof(double));
        status = open_stream(m, m->c->objects, &m->worker[i].stream);
        if (i == 0 && !status) {
            m->open_ms = 1e3 * (seconds_now() - start);
            start = seconds_now();
            status = process(m, m->worker[0].stream, 0, NULL);
            m->first_ms = 1e3 * (seconds_now() - start);
        }
    }
    return status ? session_fail(&m->session, status, fault) : 0;
}

static void finish(struct measurement *m)
{
    for (int i = 0; i < m->c->streams && m->worker; i++) {
        rvos_stream_close(&m->worker[i].stream);
        free(m->worker[i].ms);
    }
    free(m->worker);
    session_close(&m->session);
    for (int i = 0; i < m->frames; i++)
        picture_free(&m->frame[i]);
    free(m->frame);
}

/* The child process: writes the result, or "fault CODE words". */
static void measure_here(const struct bench_case *c, const struct bench_options *options,
                         FILE *out)
{
    struct measurement m = {.c = c, .options = options};
    struct fault fault = {0};
    json_t *result = NULL;
    int status = 0, err = bench_frames(&m.frame, &m.frames, options, &fault);

    if (!err)
        err = prepare(&m, &fault);
    if (!err) {
        err = run_streams(&m, &fault);
        if (!err && c->streams == 1)
            status = time_stages(&m);
        if (!err && !status && c->streams == 1 && options->steps)
            status = time_steps(&m);
        if (status)
            err = session_fail(&m.session, status, &fault);
    }
    if (!err)
        result = result_json(&m);
    if (result)
        json_dumpf(result, out, JSON_COMPACT | JSON_REAL_PRECISION(12));
    else
        fprintf(out, "fault %d %s", err ? err : TOOL_ENGINE,
                err ? fault.text : "out of memory");
    fflush(out);
}

static json_t *read_result(FILE *in, struct fault *fault)
{
    json_t *result = NULL;
    char *text = NULL, *end;
    size_t room = 0;
    int code;

    if (getdelim(&text, &room, 0, in) < 1) {
        fault_set(fault, TOOL_ENGINE, NULL, "a measurement ended without a result");
    } else if (!strncmp(text, "fault ", 6)) {
        code = (int)strtol(text + 6, &end, 10);
        fault_set(fault, (enum tool_exit)code, NULL, "%s", end + 1);
    } else {
        result = json_loads(text, 0, NULL);
        if (!result)
            fault_set(fault, TOOL_ENGINE, NULL, "a measurement ended early");
    }
    free(text);
    return result;
}

json_t *bench_measure(const struct bench_case *c, const struct bench_options *options,
                      struct fault *fault)
{
    json_t *result = NULL;
    int pipes[2];
    pid_t child;
    FILE *in;

    if (pipe(pipes) || (child = fork()) < 0) {
        fault_set(fault, TOOL_ENGINE, NULL, "no process for a measurement: %s",
                  strerror(errno));
        return NULL;
    }
    if (child == 0) {
        FILE *out = fdopen(pipes[1], "w");

        close(pipes[0]);
        if (out)
            measure_here(c, options, out);
        _exit(0);
    }
    close(pipes[1]);
    in = fdopen(pipes[0], "r");
    if (in) {
        result = read_result(in, fault);
        fclose(in);
    }
    waitpid(child, NULL, 0);
    return result;
}

/* ---- a frame on request ------------------------------------------------- */

static int start_again(struct measurement *m)
{
    rvos_stream *stream = m->worker[0].stream;
    rvos_stream_info info;

    rvos_stream_reset(stream);
    rvos_stream_get_info(stream, &info);
    return info.task != RVOS_TASK_ZERO_SHOT ? show_objects(stream, info.objects) : 0;
}

static int answer(struct measurement *m, const char *word, int *t, uint8_t *labels)
{
    rvos_stream *stream = m->worker[0].stream;
    double start = seconds_now();
    int status = 0;

    if (!strcmp(word, "run")) {
        status = process(m, stream, (*t)++, labels);
        printf("%.3f\n", 1e3 * (seconds_now() - start));
    } else if (!strcmp(word, "reset")) {
        *t = 0;
        status = start_again(m);
        puts("ok");
    } else {
        printf("error: unknown request '%s'\n", word);
    }
    fflush(stdout);
    return status;
}

int bench_serve(const struct bench_case *c, const struct bench_options *options,
                struct fault *fault)
{
    struct measurement m = {.c = c, .options = options};
    uint8_t *labels = NULL;
    char word[64];
    int t = 0, status = 0, err = bench_frames(&m.frame, &m.frames, options, fault);

    if (!err)
        err = prepare(&m, fault);
    if (!err) {
        labels = malloc((size_t)m.frame[0].width * (size_t)m.frame[0].height);
        status = labels ? start_again(&m) : RVOS_ERR_MEMORY; /* one frame has been run */
        printf("ready %s %d\n", m.session.device_info.library,
               m.session.device_info.threads);
        fflush(stdout);
        while (!status && scanf("%63s", word) == 1 && strcmp(word, "quit"))
            status = answer(&m, word, &t, labels);
        if (status)
            err = session_fail(&m.session, status, fault);
    }
    free(labels);
    finish(&m);
    return err;
}
