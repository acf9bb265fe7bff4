/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "fault.h"

#define TERMINAL_SECONDS 0.1
#define PLAIN_SECONDS 10.0

double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(struct progress *p, const char *unit, long total, bool quiet)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->unit = unit;
    p->total = total;
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO);
    p->start = p->drawn = seconds_now();
}

static void draw_bar(const struct progress *p)
{
    char bar[31];
    long filled = p->total ? (long)(sizeof bar - 1) * p->done / p->total : 0;

    for (long i = 0; i < (long)sizeof bar - 1; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[sizeof bar - 1] = 0;
    fprintf(stderr, "\r[%s] ", bar);
}

static void draw(struct progress *p, double now)
{
    double rate = now > p->start ? (double)p->done / (now - p->start) : 0;
    long left = rate > 0 ? (long)((double)(p->total - p->done) / rate + 0.5) : 0;

    if (p->terminal)
        draw_bar(p);
    fprintf(stderr, "%ld/%ld %s, %.1f fps, %ld:%02ld left%s", p->done, p->total, p->unit,
            rate, left / 60, left % 60, p->terminal ? "\033[K" : "\n");
    p->drawn = now;
}

void progress_step(struct progress *p, long steps)
{
    double now = seconds_now();

    pthread_mutex_lock(&p->lock);
    p->done += steps;
    if (!p->quiet && now - p->drawn >= (p->terminal ? TERMINAL_SECONDS : PLAIN_SECONDS))
        draw(p, now);
    pthread_mutex_unlock(&p->lock);
}

void progress_note(struct progress *p, const char *format, ...)
{
    char words[4 * ESCAPE_ROOM], line[4 * ESCAPE_ROOM];
    va_list args;

    if (p->quiet)
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    pthread_mutex_lock(&p->lock);
    if (p->terminal)
        fprintf(stderr, "\r\033[K");
    fprintf(stderr, "%s\n", escape_text(line, sizeof line, words));
    pthread_mutex_unlock(&p->lock);
}

void progress_fault(struct progress *p, const char *program, const struct fault *fault)
{
    pthread_mutex_lock(&p->lock);
    if (p->terminal && !p->quiet)
        fprintf(stderr, "\r\033[K");
    fault_print(fault, program);
    pthread_mutex_unlock(&p->lock);
}

void progress_finish(struct progress *p, const char *where)
{
    double seconds = seconds_now() - p->start;
    char place[ESCAPE_ROOM];

    if (!p->quiet)
        fprintf(stderr, "%s%ld %s in %.1f s (%.1f fps): %s\n",
                p->terminal ? "\r\033[K" : "", p->done, p->unit, seconds,
                seconds > 0 ? (double)p->done / seconds : 0,
                escape_text(place, sizeof place, where));
    pthread_mutex_destroy(&p->lock);
}

void progress_stop(struct progress *p)
{
    if (!p->quiet && p->terminal && p->done)
        fputc('\n', stderr);
    pthread_mutex_destroy(&p->lock);
}
