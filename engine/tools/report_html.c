/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include <rvos.h>

#include "escape.h"
#include "report.h"

#define STRIP 4 /* overlays of each end */
#define PICTURE_WIDTH 430

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>rvos-eval</title>\n"
    "<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:#1c2126;max-width:1100px;"
    "margin:2em auto;padding:0 1em;background:#fff}\n"
    "h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.15em;margin-top:2em;"
    "border-bottom:1px solid #d5dade;padding-bottom:.2em}\n"
    "p.where{color:#5b6670;margin-top:.2em;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.15em .8em;text-align:right;border-bottom:1px solid #e8ebee}\n"
    "th{color:#5b6670;font-weight:600}th:first-child,td:first-child{text-align:left}\n"
    "td.j{border-left:1px solid #d5dade}\n"
    ".tiles{display:flex;gap:1em;flex-wrap:wrap;margin:1.2em 0}\n"
    ".tile{background:#f2f5f7;border-radius:8px;padding:.7em 1.4em;min-width:6em}\n"
    ".tile b{display:block;font-size:1.8em;line-height:1.2}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));"
    "gap:1em}\n"
    "figure{margin:0}figure img{width:100%;border-radius:4px;display:block}\n"
    "figcaption{font-size:.85em;color:#5b6670}\n"
    ".bad{color:#a3271c}svg text{font:12px system-ui,sans-serif;fill:#1c2126}\n"
    "svg .soft{fill:#5b6670}\n"
    "</style></head><body>\n";

static void escaped(FILE *out, const char *words)
{
    char one_line[4 * ESCAPE_ROOM];
    const char *text = escape_text(one_line, sizeof one_line, words);

    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* ---- numbers ------------------------------------------------------------ */

static void tile(FILE *out, const char *label, double percent)
{
    fprintf(out, "<div class=\"tile\"><b>%.1f</b>%s</div>\n", percent, label);
}

static void cells(FILE *out, const struct statistics *j, const struct statistics *f,
                  int switches)
{
    fprintf(out,
            "<td>%.1f</td><td class=\"j\">%.1f</td><td>%.1f</td><td>%.1f</td>"
            "<td class=\"j\">%.1f</td><td>%.1f</td><td>%.1f</td>"
            "<td class=\"j\">%d</td></tr>\n",
            50 * (j->mean + f->mean), 100 * j->mean, 100 * j->recall, 100 * j->decay,
            100 * f->mean, 100 * f->recall, 100 * f->decay, switches);
}

static void table_head(FILE *out, const char *first, const char *second,
                       const char *third)
{
    fprintf(out,
            "<table><tr><th>%s</th><th>%s</th><th>%s</th><th>J&amp;F</th><th>J</th>"
            "<th>recall</th><th>decay</th><th>F</th><th>recall</th><th>decay</th>"
            "<th>id switches</th></tr>\n",
            first, second, third);
}

static void mean_row(FILE *out, const struct evaluation *e, const char *label,
                     enum group group, int instances)
{
    struct eval_mean m = evaluation_mean(e, group, instances);

    if (!m.objects)
        return;
    fprintf(out, "<tr><td>%s</td><td>%d</td><td>%d</td>", label, m.objects, m.sequences);
    cells(out, &m.j, &m.f, m.switches);
}

static void means(FILE *out, const struct evaluation *e)
{
    struct eval_mean all = evaluation_mean(e, GROUP_NONE, 0);

    fputs("<div class=\"tiles\">\n", out);
    tile(out, "J&amp;F", 50 * (all.j.mean + all.f.mean));
    tile(out, "J, region similarity", 100 * all.j.mean);
    tile(out, "F, contour accuracy", 100 * all.f.mean);
    fprintf(out,
            "<div class=\"tile\"><b>%d</b>objects</div>"
            "<div class=\"tile\"><b>%d</b>sequences</div>"
            "<div class=\"tile\"><b>%d</b>id switches</div>\n",
            all.objects, all.sequences, all.switches);
    if (all.false_objects >= 0)
        fprintf(out, "<div class=\"tile\"><b>%d</b>false objects</div>\n",
                all.false_objects);
    fputs("</div>\n", out);
    table_head(out, "means, percent", "objects", "sequences");
    mean_row(out, e, "all", GROUP_NONE, 0);
    mean_row(out, e, "seen categories", GROUP_SEEN, 0);
    mean_row(out, e, "unseen categories", GROUP_UNSEEN, 0);
    for (int n = 1; n < 255; n++) {
        char label[48];

        snprintf(label, sizeof label, "sequences of %d object%s", n, n == 1 ? "" : "s");
        mean_row(out, e, label, GROUP_NONE, n);
    }
    fputs("</table>\n", out);
}

static void objects(FILE *out, const struct evaluation *e)
{
    fputs("<h2>Every object</h2>\n", out);
    table_head(out, "sequence", "object", "frames");
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        for (int k = 0; k < s->objects && !s->fault.code; k++) {
            const struct eval_object *o = &s->object[k];

            if (!o->count)
                continue;
            fputs("<tr><td>", out);
            escaped(out, s->name);
            fprintf(out, "</td><td>%d</td><td>%d</td>", o->id, o->count);
            cells(out, &o->j_stat, &o->f_stat, o->switches);
        }
    }
    fputs("</table>\n", out);
}

static void faults(FILE *out, const struct evaluation *e)
{
    bool any = false;

    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        if (!s->fault.code)
            continue;
        fputs(any ? "<li>" : "<h2 class=\"bad\">Not scored</h2>\n<ul><li>", out);
        any = true;
        escaped(out, s->fault.text);
        fputs("</li>\n", out);
    }
    if (any)
        fputs("</ul>\n", out);
}

/* ---- charts ------------------------------------------------------------- */

static double sequence_mean(const struct eval_sequence *s, bool contour)
{
    double sum = 0;
    int n = 0;

    for (int k = 0; k < s->objects; k++)
        if (s->object[k].count) {
            sum += contour ? s->object[k].f_stat.mean : s->object[k].j_stat.mean;
            n++;
        }
    return n ? sum / n : 0;
}

static void bars(FILE *out, const struct evaluation *e)
{
    const int left = 190, span = 700, row = 30;
    int y = 0;

    fputs("<h2>Sequences</h2>\n<p class=\"where\">Blue: J, orange: F; means over the "
          "objects, percent.</p>\n",
          out);
    for (int i = 0; i < e->count; i++)
        y += eval_instances(&e->sequence[i]) ? row : 0;
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" width=\"100%%\" role=\"img\">\n",
            left + span + 60, y + 4);
    y = 0;
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];
        double j = sequence_mean(s, false), f = sequence_mean(s, true);

        if (!eval_instances(s))
            continue;
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", left - 8, y + 18);
        escaped(out, s->name);
        fprintf(out,
                "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"11\" "
                "fill=\"#2f6fb3\"/><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"11\" "
                "fill=\"#e08a2c\"/><text class=\"soft\" x=\"%.1f\" y=\"%d\">%.1f</text>"
                "<text class=\"soft\" x=\"%.1f\" y=\"%d\">%.1f</text>\n",
                left, y + 2, j * span, left, y + 14, f * span, left + j * span + 5,
                y + 12, 100 * j, left + f * span + 5, y + 24, 100 * f);
        y += row;
    }
    fputs("</svg>\n", out);
}

static void line(FILE *out, const struct eval_object *o, int frames, int width,
                 int height)
{
    const uint8_t *rgb = rvos_davis_palette.rgb[(o->id - 1) % RVOS_MAX_OBJECTS + 1];

    fprintf(out,
            "<polyline fill=\"none\" stroke=\"#%02x%02x%02x\" stroke-width=\"1.6\" "
            "points=\"",
            rgb[0], rgb[1], rgb[2]);
    for (int i = 0; i < o->count; i++)
        fprintf(out, "%.1f,%.1f ", width * (o->frame[i] + 0.5) / frames,
                4 + (height - 8) * (1 - o->j[i]));
    fputs("\"/>\n", out);
}

static void over_time(FILE *out, const struct evaluation *e)
{
    const int width = 250, height = 90;

    fputs("<h2>J over time</h2>\n<p class=\"where\">From the first frame to the last, 0 "
          "to 100 percent; a line for each object, in its colour.</p>\n"
          "<div class=\"grid\">\n",
          out);
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        if (!eval_instances(s))
            continue;
        fprintf(out,
                "<figure><svg viewBox=\"0 0 %d %d\" width=\"100%%\"><rect width=\"%d\" "
                "height=\"%d\" fill=\"#f2f5f7\"/><line x1=\"0\" x2=\"%d\" y1=\"%d\" "
                "y2=\"%d\" stroke=\"#d5dade\"/>\n",
                width, height, width, height, width, height / 2, height / 2);
        for (int k = 0; k < s->objects; k++)
            if (s->object[k].count)
                line(out, &s->object[k], s->truth.count, width, height);
        fputs("</svg><figcaption>", out);
        escaped(out, s->name);
        fprintf(out, ", J %.1f</figcaption></figure>\n", 100 * sequence_mean(s, false));
    }
    fputs("</div>\n", out);
}

/* ---- pictures ----------------------------------------------------------- */

struct shown {
    const struct eval_sequence *sequence;
    const struct eval_object *object;
};

static int by_score(const void *a, const void *b)
{
    double x = ((const struct shown *)a)->object->j_stat.mean;
    double y = ((const struct shown *)b)->object->j_stat.mean;

    return (x > y) - (x < y);
}

static int ranked(const struct evaluation *e, struct shown **out)
{
    int n = 0;

    for (int i = 0; i < e->count; i++)
        n += eval_instances(&e->sequence[i]);
    *out = malloc(sizeof **out * (size_t)(n + 1));
    n = 0;
    for (int i = 0; *out && i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        for (int k = 0; k < s->objects && !s->fault.code; k++)
            if (s->object[k].count)
                (*out)[n++] = (struct shown){s, &s->object[k]};
    }
    if (n)
        qsort(*out, (size_t)n, sizeof **out, by_score);
    return n;
}

/* false: no memory for the picture, which all its files have been read for before. */
static bool overlay(FILE *out, const struct evaluation *e, const struct shown *shown,
                    bool worst, const char *frames)
{
    const struct eval_object *o = shown->object;
    int at = 0;
    char *data;

    for (int i = 1; i < o->count; i++)
        if (worst ? o->j[i] < o->j[at] : o->j[i] > o->j[at])
            at = i;
    data = overlay_base64(e, shown->sequence, o->frame[at], frames, PICTURE_WIDTH);
    if (!data)
        return false;
    fprintf(out, "<figure><img alt=\"\" src=\"data:image/jpeg;base64,%s\"><figcaption>",
            data);
    escaped(out, shown->sequence->name);
    fputs(", frame ", out);
    escaped(out, shown->sequence->truth.file[o->frame[at]].stem);
    fprintf(out, ", object %d: J %.1f, F %.1f</figcaption></figure>\n", o->id,
            100 * o->j[at], 100 * o->f[at]);
    free(data);
    return true;
}

static bool strip(FILE *out, const struct evaluation *e, const char *frames)
{
    struct shown *shown;
    int n = ranked(e, &shown);
    int each = n < 2 * STRIP ? n / 2 : STRIP;
    bool whole = shown != NULL;

    if (!each)
        each = 1; /* its worst and its best frame */
    fputs("<h2>Worst and best</h2>\n<p class=\"where\">Tinted: the result; white line: "
          "the annotation.</p>\n<div class=\"grid\">\n",
          out);
    for (int i = 0; i < each && whole; i++)
        whole = overlay(out, e, &shown[i], true, frames);
    for (int i = n - 1; i >= n - each && whole; i--)
        whole = overlay(out, e, &shown[i], false, frames);
    fputs("</div>\n", out);
    free(shown);
    return whole;
}

int report_html(const char *path, const struct evaluation *e, const char *frames,
                struct fault *fault)
{
    char *text = NULL;
    size_t size = 0;
    bool whole = true;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    fputs(head, out);
    fputs("<h1>", out);
    escaped(out, e->protocol->title);
    fputs("</h1>\n<p class=\"where\">results ", out);
    escaped(out, e->guess);
    fputs("<br>annotations ", out);
    escaped(out, e->truth);
    fputs("</p>\n", out);
    means(out, e);
    faults(out, e);
    if (evaluation_mean(e, GROUP_NONE, 0).objects) {
        whole = strip(out, e, frames);
        bars(out, e);
        over_time(out, e);
        objects(out, e);
    }
    fputs("</body></html>\n", out);
    if (whole)
        return file_write_memory(path, out, &text, &size, fault);
    fclose(out);
    free(text);
    return fault_set(fault, TOOL_ENGINE, path, "out of memory");
}
