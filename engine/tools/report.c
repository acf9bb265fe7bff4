/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "escape.h"

static void print_scores(FILE *out, const struct statistics *j,
                         const struct statistics *f, int switches)
{
    fprintf(out, "%6.1f  %6.1f %6.1f %6.1f  %6.1f %6.1f %6.1f  %6d\n",
            50 * (j->mean + f->mean), 100 * j->mean, 100 * j->recall, 100 * j->decay,
            100 * f->mean, 100 * f->recall, 100 * f->decay, switches);
}

static int name_width(const struct evaluation *e)
{
    char name[ESCAPE_ROOM];
    int width = 20;

    for (int i = 0; i < e->count; i++) {
        int n = (int)strlen(escape_text(name, sizeof name, e->sequence[i].name));

        width = n > width ? n : width;
    }
    return width;
}

static void print_head(FILE *out, int width, const char *first, const char *third)
{
    fprintf(out, "%-*s %6s %6s %6s  %6s %6s %6s  %6s %6s %6s  %6s\n", width, first,
            "object", third, "J&F", "J", "recall", "decay", "F", "recall", "decay",
            "switch");
}

static void print_mean(FILE *out, const struct evaluation *e, const char *label,
                       int width, enum group group, int instances)
{
    struct eval_mean m = evaluation_mean(e, group, instances);

    if (!m.objects)
        return;
    fprintf(out, "%-*s %6d %6d ", width, label, m.objects, m.sequences);
    print_scores(out, &m.j, &m.f, m.switches);
}

static void print_means(FILE *out, const struct evaluation *e, int width)
{
    int most = 0;

    print_head(out, width, "means", "seq.");
    print_mean(out, e, "all", width, GROUP_NONE, 0);
    print_mean(out, e, "seen categories", width, GROUP_SEEN, 0);
    print_mean(out, e, "unseen categories", width, GROUP_UNSEEN, 0);
    for (int i = 0; i < e->count; i++)
        if (eval_instances(&e->sequence[i]) > most)
            most = eval_instances(&e->sequence[i]);
    for (int n = 1; n <= most && most > 1; n++) {
        char label[32];

        snprintf(label, sizeof label, "%d object%s", n, n == 1 ? "" : "s");
        print_mean(out, e, label, width, GROUP_NONE, n);
    }
}

static void print_counts(FILE *out, const struct evaluation *e)
{
    struct eval_mean m = evaluation_mean(e, GROUP_NONE, 0);

    if (m.frames)
        fprintf(out, "\nid switches: %d in %d frames (%.2f per 300)\n", m.switches,
                m.frames, 300.0 * m.switches / m.frames);
    if (m.frames && m.false_objects >= 0)
        fprintf(out, "false objects: %d\n", m.false_objects);
}

void report_text(FILE *out, const struct evaluation *e)
{
    int width = name_width(e);
    char name[ESCAPE_ROOM];

    fprintf(out, "%s (percent)\n\n", e->protocol->title);
    print_head(out, width, "sequence", "frames");
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        for (int k = 0; k < s->objects && !s->fault.code; k++) {
            const struct eval_object *o = &s->object[k];

            if (!o->count)
                continue;
            fprintf(out, "%-*s %6d %6d ", width, escape_text(name, sizeof name, s->name),
                    o->id, o->count);
            print_scores(out, &o->j_stat, &o->f_stat, o->switches);
        }
    }
    fputc('\n', out);
    print_means(out, e, width);
    print_counts(out, e);
}

/* Quotes a name if it contains characters that end a CSV field. */
static void print_field(FILE *out, const char *words)
{
    char escaped[4 * ESCAPE_ROOM];
    const char *text = escape_text(escaped, sizeof escaped, words);

    if (!strpbrk(text, ",\"")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void print_rows(FILE *out, const struct evaluation *e)
{
    fprintf(out, "sequence,object,prediction,category,frames,J_mean,J_recall,J_decay,"
                 "F_mean,F_recall,F_decay,id_switches\n");
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];

        for (int k = 0; k < s->objects && !s->fault.code; k++) {
            const struct eval_object *o = &s->object[k];

            if (!o->count)
                continue;
            print_field(out, s->name);
            fprintf(out, ",%d,%d,", o->id, o->guess);
            print_field(out, o->category ? o->category : "");
            fprintf(out, ",%d,%.9f,%.9f,%.9f,%.9f,%.9f,%.9f,%d\n", o->count,
                    o->j_stat.mean, o->j_stat.recall, o->j_stat.decay, o->f_stat.mean,
                    o->f_stat.recall, o->f_stat.decay, o->switches);
        }
    }
}

int report_csv(const char *path, const struct evaluation *e, struct fault *fault)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    print_rows(out, e);
    return file_write_memory(path, out, &text, &size, fault);
}
