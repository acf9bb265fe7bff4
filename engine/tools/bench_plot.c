/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two charts in one SVG: the median latency over the number of objects, and frames a
 * second over the number of streams. A line is what differs in nothing else. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "folders.h"

#define POINTS 64
#define LINES 24
#define LEFT 70
#define SPAN 420
#define TOP 50
#define TALL 300

struct line {
    char *name;
    int count;
    double x[POINTS], y[POINTS];
};

struct chart {
    const char *title, *x_label, *y_label;
    const char *over; /* the JSON key on the x axis */
    struct line line[LINES];
    int count;
};

static double get(const json_t *r, const char *key)
{
    return json_number_value(json_object_get(r, key));
}

static const char *get_word(const json_t *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r, key));

    return text ? text : "?";
}

/* All that a line has in common: `over` is left out. */
static char *line_name(const json_t *r, const char *over, const char *file, bool many)
{
    bool objects = !strcmp(over, "objects");
    const char *slash = strrchr(file, '/');
    char batch[24] = "";

    if (get(r, "max_batch") > 1)
        snprintf(batch, sizeof batch, ", batch %d", (int)get(r, "max_batch"));
    return text_format("%s%s%s %s %s %s, %d threads, %s %d%s",
                       many ? slash ? slash + 1 : file : "", many ? ": " : "",
                       get_word(r, "engine"), get_word(r, "encoder"), get_word(r, "task"),
                       get_word(r, "precision"), (int)get(r, "threads"),
                       objects ? "streams" : "objects",
                       (int)get(r, objects ? "streams" : "objects"), batch);
}

static void add_point(struct chart *c, char *name, double x, double y)
{
    struct line *l = NULL;

    for (int i = 0; i < c->count && name; i++)
        if (!strcmp(c->line[i].name, name))
            l = &c->line[i];
    if (!l && name && c->count < LINES) {
        l = &c->line[c->count++];
        l->name = name;
        name = NULL;
    }
    free(name);
    if (!l || l->count == POINTS)
        return;
    int at = l->count++;

    for (; at > 0 && l->x[at - 1] > x; at--) { /* sorted by x */
        l->x[at] = l->x[at - 1];
        l->y[at] = l->y[at - 1];
    }
    l->x[at] = x;
    l->y[at] = y;
}

static void add_results(struct chart *latency, struct chart *rate, const json_t *results,
                        const char *file, bool many)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *r = json_array_get(results, i);

        add_point(latency, line_name(r, "objects", file, many), get(r, "objects"),
                  get(json_object_get(r, "latency_ms"), "p50"));
        add_point(rate, line_name(r, "streams", file, many), get(r, "streams"),
                  get(r, "fps"));
    }
}

/* Lines of one point say nothing over this axis, unless there are no others. */
static void drop_dots(struct chart *c)
{
    int kept = 0;

    for (int i = 0; i < c->count; i++)
        kept += c->line[i].count > 1;
    if (!kept)
        return;
    kept = 0;
    for (int i = 0; i < c->count; i++) {
        if (c->line[i].count > 1)
            c->line[kept++] = c->line[i];
        else
            free(c->line[i].name);
    }
    c->count = kept;
}

/* 1, 2 or 5 times a power of ten, so that there are about five marks. */
static double step_of(double most)
{
    double raw = most / 5, ten = pow(10, floor(log10(raw)));

    return ten * (raw / ten < 1.5 ? 1 : raw / ten < 3.5 ? 2 : raw / ten < 7.5 ? 5 : 10);
}

static void axes(FILE *out, const struct chart *c, double x_most, double y_most)
{
    double x_step = fmax(1, step_of(x_most)), y_step = step_of(y_most);

    fprintf(out, "<text x=\"%d\" y=\"24\" class=\"title\">%s</text>\n", LEFT, c->title);
    for (double v = 0; v <= y_most * 1.001; v += y_step)
        fprintf(out,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e0e4e8\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                LEFT, LEFT + SPAN, TOP + TALL * (1 - v / y_most),
                TOP + TALL * (1 - v / y_most), LEFT - 8,
                TOP + TALL * (1 - v / y_most) + 4, v);
    for (double v = 0; v <= x_most * 1.001; v += x_step)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                LEFT + SPAN * v / x_most, TOP + TALL + 18, v);
    fprintf(out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>"
            "<text x=\"%d\" y=\"%d\">%s</text>\n",
            LEFT + SPAN / 2, TOP + TALL + 38, c->x_label, LEFT, TOP - 10, c->y_label);
}

/* Names of files, and words of files. */
static void legend(FILE *out, const char *words)
{
    char name[ESCAPE_ROOM];

    for (const char *c = escape_text(name, sizeof name, words); *c; c++)
        if (strchr("<>&", *c))
            fprintf(out, "&#%d;", *c);
        else
            fputc(*c, out);
}

static void draw(FILE *out, const struct chart *c, int y_legend)
{
    static const char *const colour[] = {"#2f6fb3", "#e08a2c", "#3b8f4a", "#a3271c",
                                         "#7a4fa3", "#6b6f76", "#1f9aa8", "#b0577f"};
    double x_most = 1, y_most = 1e-9;

    for (int i = 0; i < c->count; i++)
        for (int k = 0; k < c->line[i].count; k++) {
            x_most = fmax(x_most, c->line[i].x[k]);
            y_most = fmax(y_most, c->line[i].y[k] * 1.05);
        }
    axes(out, c, x_most, y_most);
    for (int i = 0; i < c->count; i++) {
        const struct line *l = &c->line[i];
        const char *stroke = colour[i % (int)(sizeof colour / sizeof *colour)];

        fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
                stroke);
        for (int k = 0; k < l->count; k++)
            fprintf(out, "%.1f,%.1f ", LEFT + SPAN * l->x[k] / x_most,
                    TOP + TALL * (1 - l->y[k] / y_most));
        fputs("\"/>\n", out);
        for (int k = 0; k < l->count; k++)
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>",
                    LEFT + SPAN * l->x[k] / x_most, TOP + TALL * (1 - l->y[k] / y_most),
                    stroke);
        fprintf(out,
                "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"4\" fill=\"%s\"/>"
                "<text x=\"%d\" y=\"%d\">",
                LEFT, y_legend + 18 * i, stroke, LEFT + 18, y_legend + 18 * i + 6);
        legend(out, l->name);
        fputs("</text>\n", out);
    }
}

static int write_charts(const char *path, struct chart *latency, struct chart *rate,
                        struct fault *fault)
{
    int legend = TOP + TALL + 60, width = LEFT + SPAN + 30;
    int most = latency->count > rate->count ? latency->count : rate->count;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "width=\"%d\" height=\"%d\">\n<style>text{font:12px sans-serif;fill:#1c2126}"
            ".title{font-size:15px;font-weight:bold}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            2 * width, legend + 18 * most + 10, 2 * width, legend + 18 * most + 10);
    draw(out, latency, legend);
    fprintf(out, "<g transform=\"translate(%d 0)\">\n", width);
    draw(out, rate, legend);
    fputs("</g>\n</svg>\n", out);
    return file_write_memory(path, out, &text, &size, fault);
}

int bench_plot(const char *path, char *const *files, int count, struct fault *fault)
{
    struct chart *chart = calloc(2, sizeof *chart);
    int err = chart ? 0 : fault_set(fault, TOOL_ENGINE, path, "out of memory");

    for (int i = 0; i < count && !err; i++) {
        json_t *root, *results;

        err = bench_load(&root, &results, files[i], fault);
        if (err)
            break;
        add_results(&chart[0], &chart[1], results, files[i], count > 1);
        json_decref(root);
    }
    if (!err) {
        drop_dots(&chart[0]);
        drop_dots(&chart[1]);
        chart[0].title = "Latency of a frame";
        chart[0].x_label = "objects";
        chart[0].y_label = "ms, median";
        chart[1].title = "Throughput";
        chart[1].x_label = "streams";
        chart[1].y_label = "frames a second, all streams";
        err = write_charts(path, &chart[0], &chart[1], fault);
    }
    for (int k = 0; k < 2 && chart; k++)
        for (int i = 0; i < chart[k].count; i++)
            free(chart[k].line[i].name);
    free(chart);
    return err;
}
