/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "evaluate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "parallel.h"
#include "seeds.h"

#define PROPOSALS 20  /* most proposals of the unsupervised protocol */
#define CANDIDATES 32 /* for protocols that choose among all slots of the engine */
#define LEAST_FIT 0.1 /* a slot with a lower J does not match an object */

const struct protocol protocols[] = {
    {.name = "davis2016",
     .title = "DAVIS-2016, one object",
     .kind = MASK_BINARY,
     .guess_kind = MASK_BINARY,
     .pairing = PAIR_SAME_ID,
     .skip_ends = true},
    {.name = "davis2016-unsupervised",
     .title = "DAVIS-2016, one object, the best slot of the sequence",
     .kind = MASK_BINARY,
     .pairing = PAIR_BEST_SLOT,
     .skip_ends = true},
    {.name = "davis2017",
     .title = "DAVIS-2017, semi-supervised",
     .pairing = PAIR_SAME_ID,
     .skip_ends = true},
    {.name = "davis2017-unsupervised",
     .title = "DAVIS-2017/2019, unsupervised",
     .pairing = PAIR_WHOLE_SEQUENCE,
     .void_out = true},
    {.name = "davis2017-zero-shot",
     .title = "DAVIS-2017, masks chosen at the first frame (RVOS paper)",
     .pairing = PAIR_FIRST_FRAME,
     .skip_ends = true},
    {.name = "best-slot",
     .title = "Every annotated object, its best slot of the sequence",
     .pairing = PAIR_BEST_SLOT,
     .void_out = true,
     .all_ids = true},
    {.name = "youtube-vos",
     .title = "YouTube-VOS, one-shot",
     .pairing = PAIR_SAME_ID,
     .late_objects = true,
     .categories = true,
     .all_ids = true},
    {.name = "youtube-vos-zero-shot",
     .title = "YouTube-VOS, masks chosen at an object's first frame (RVOS paper)",
     .pairing = PAIR_FIRST_FRAME,
     .late_objects = true,
     .categories = true,
     .all_ids = true},
};
const int protocol_count = sizeof protocols / sizeof *protocols;

const struct protocol *protocol_find(const char *name)
{
    for (int i = 0; i < protocol_count; i++)
        if (!strcmp(protocols[i].name, name))
            return &protocols[i];
    return NULL;
}

/* One item of work: a sequence to be listed, or a frame to be scored. */
struct job {
    struct evaluation *evaluation;
    struct frame_at {
        int sequence, frame;
    } * at;
    pthread_mutex_t lock; /* guards every sequence's fault */
    atomic_bool stop;     /* strict, and there was a fault */
};

static void blame(struct job *job, struct eval_sequence *s, const struct fault *fault)
{
    pthread_mutex_lock(&job->lock);
    if (!s->fault.code)
        s->fault = *fault;
    pthread_mutex_unlock(&job->lock);
    if (job->evaluation->strict)
        atomic_store(&job->stop, true);
}

/* ---- listing ------------------------------------------------------------ */

/* Annotations of one object may be black and white; then white does not mean "ignore". */
static void find_kind(struct evaluation *e, struct eval_sequence *s)
{
    struct mask_facts facts;
    struct picture mask;

    s->kind = e->protocol->kind;
    if (s->kind != MASK_INDEX ||
        mask_read_raw(&mask, s->truth.file[0].path, MASK_GUESS, &facts, NULL))
        return;
    picture_free(&mask);
    if (facts.meaning == MASK_ONE || facts.meaning == MASK_SOFT)
        s->kind = MASK_GUESS;
}

/* Finds the highest object number, in the first annotation with an object or in all. */
static int highest_id(struct evaluation *e, struct eval_sequence *s, struct fault *fault)
{
    struct picture mask;
    struct id_set ids;

    for (int t = 0; t < s->truth.count && (!s->objects || e->protocol->all_ids); t++) {
        int highest, err = mask_read(&mask, s->truth.file[t].path, s->kind, fault);

        if (err)
            return err;
        highest = ids_of(&mask, &ids);
        picture_free(&mask);
        if (highest > s->objects)
            s->objects = highest;
    }
    if (s->objects)
        return 0;
    return fault_set(fault, TOOL_INPUT, s->truth.file[0].path,
                     "neither this annotation nor a later one shows an object");
}

/* The tables of a sequence whose frames and objects are known. */
static int make_tables(const struct evaluation *e, struct eval_sequence *s,
                       struct fault *fault)
{
    size_t frames = (size_t)s->truth.count;
    size_t n = frames * (size_t)s->objects;
    bool same = e->protocol->pairing == PAIR_SAME_ID;
    size_t pairs = same ? n : n * (size_t)s->guesses;
    bool whole = true;

    s->present = calloc(n, sizeof *s->present);
    s->best = calloc(n, sizeof *s->best);
    s->best_j = calloc(n, sizeof *s->best_j);
    s->j = calloc(2 * pairs, sizeof *s->j);
    s->f = s->j + pairs;
    s->guess = calloc(frames, sizeof *s->guess);
    s->object = calloc((size_t)s->objects, sizeof *s->object);
    if (e->all_annotated) {
        s->slot = calloc(frames * (size_t)s->guesses, sizeof *s->slot);
        whole = s->slot;
    }
    for (int t = 0; s->guess && t < s->truth.count; t++) {
        s->guess[t] =
            text_format("%s/%s/%s.png", e->guess, s->name, s->truth.file[t].stem);
        whole = whole && s->guess[t];
    }
    if (!s->j || !s->present || !s->best || !s->best_j || !s->object || !s->guess ||
        !whole)
        return fault_set(fault, TOOL_ENGINE, s->name, "out of memory");
    for (int i = 0; i < s->objects; i++)
        s->object[i] =
            (struct eval_object){.id = i + 1, .first = -1, .group = GROUP_NONE};
    return 0;
}

static int list_sequence(struct evaluation *e, struct eval_sequence *s,
                         struct fault *fault)
{
    char *folder = text_format("%s/%s", e->truth, s->name);
    enum pairing pairing = e->protocol->pairing;
    int err = folder ? frames_list(&s->truth, folder, fault)
                     : fault_set(fault, TOOL_ENGINE, s->name, "out of memory");

    free(folder);
    if (!err && s->truth.count < (e->protocol->skip_ends ? 3 : 1))
        err = fault_set(fault, TOOL_INPUT, s->truth.file[0].path,
                        "is one of %d annotated frames: there is none to score, as "
                        "%s leaves out the first and the last",
                        s->truth.count, e->protocol->name);
    if (!err)
        find_kind(e, s);
    if (!err)
        err = highest_id(e, s, fault);
    if (err)
        return err;
    s->guesses = s->objects;
    if ((pairing == PAIR_FIRST_FRAME || pairing == PAIR_BEST_SLOT) &&
        s->guesses < CANDIDATES)
        s->guesses = CANDIDATES;
    if (pairing == PAIR_WHOLE_SEQUENCE && s->guesses < PROPOSALS)
        s->guesses = PROPOSALS;
    if (pairing != PAIR_SAME_ID && s->objects > HUNGARIAN_MAX)
        return fault_set(fault, TOOL_INPUT, s->truth.file[0].path,
                         "more than %d objects cannot be paired", HUNGARIAN_MAX);
    return make_tables(e, s, fault);
}

static void list_job(void *context, int index)
{
    struct job *job = context;
    struct eval_sequence *s = &job->evaluation->sequence[index];
    struct fault fault = {0};

    if (list_sequence(job->evaluation, s, &fault))
        blame(job, s, &fault);
}

/* ---- frames ------------------------------------------------------------- */

static int check_guess(const struct eval_sequence *s, const char *path,
                       const struct picture *truth, const struct picture *guess,
                       struct fault *fault)
{
    struct id_set ids;
    int highest = ids_of(guess, &ids);

    if (truth->width != guess->width || truth->height != guess->height)
        return fault_set(fault, TOOL_INPUT, path, "is of %dx%d, its annotation of %dx%d",
                         guess->width, guess->height, truth->width, truth->height);
    if (highest > s->guesses)
        return fault_set(fault, TOOL_INPUT, path,
                         "has an object %d, and there may be no more than %d", highest,
                         s->guesses);
    return 0;
}

static int read_pair(const struct protocol *p, const struct eval_sequence *s, int t,
                     struct picture *truth, struct picture *guess, struct fault *fault)
{
    const char *path = s->truth.file[t].path;
    int err = p->void_out ? mask_read_raw(truth, path, s->kind, NULL, fault)
                          : mask_read(truth, path, s->kind, fault);

    guess->pixels = NULL;
    if (!err)
        err = mask_read(guess, s->guess[t], guess_kind(p), fault);
    if (!err)
        err = check_guess(s, s->guess[t], truth, guess, fault);
    for (size_t i = 0;
         !err && p->void_out && i < (size_t)truth->width * (size_t)truth->height; i++)
        if (truth->pixels[i] == 255)
            truth->pixels[i] = guess->pixels[i] = 0;
    return err;
}

/* Notes the slot that fits object i best, independent of the protocol's pairing. */
static void note_best(struct eval_sequence *s, size_t row, int i, const struct outline *a,
                      const struct outline *b)
{
    for (int k = 1; k <= s->guesses && a->area[i]; k++) {
        double j = b->area[k - 1] ? region_similarity(a, i + 1, b, k) : 0;

        if (j > s->best_j[row]) {
            s->best_j[row] = j;
            s->best[row] = j >= LEAST_FIT ? k : 0;
        }
    }
}

static void note_slots(struct eval_sequence *s, int t, const struct picture *truth,
                       const struct picture *guess)
{
    struct eval_slot *slot = s->slot + (size_t)t * (size_t)s->guesses;

    for (size_t i = 0; i < (size_t)truth->width * (size_t)truth->height; i++) {
        int k = guess->pixels[i];

        if (!k || k > s->guesses)
            continue;
        slot[k - 1].area++;
        slot[k - 1].annotated += truth->pixels[i] > 0;
    }
}

static int score_frame(const struct protocol *p, struct eval_sequence *s, int t,
                       struct fault *fault)
{
    struct picture truth, guess;
    struct outline a = {0}, b = {0};
    bool same = p->pairing == PAIR_SAME_ID;
    int per_object = same ? 1 : s->guesses;
    int err = read_pair(p, s, t, &truth, &guess, fault);

    if (!err && (outline_make(&a, truth.pixels, truth.width, truth.height, s->objects) ||
                 outline_make(&b, guess.pixels, guess.width, guess.height, s->guesses)))
        err = fault_set(fault, TOOL_ENGINE, s->guess[t], "out of memory");
    for (int i = 0; i < s->objects && !err; i++) {
        size_t row = (size_t)t * (size_t)s->objects + (size_t)i;

        s->present[row] = a.area[i] > 0;
        note_best(s, row, i, &a, &b);
        for (int k = 0; k < per_object; k++) {
            size_t at = row * (size_t)per_object + (size_t)k;

            s->j[at] = region_similarity(&a, i + 1, &b, same ? i + 1 : k + 1);
            s->f[at] = contour_accuracy(&a, i + 1, &b, same ? i + 1 : k + 1);
        }
    }
    if (!err && s->slot)
        note_slots(s, t, &truth, &guess);
    outline_free(&a);
    outline_free(&b);
    picture_free(&truth);
    picture_free(&guess);
    return err;
}

static void frame_job(void *context, int index)
{
    struct job *job = context;
    struct frame_at at = job->at[index];
    struct eval_sequence *s = &job->evaluation->sequence[at.sequence];
    struct fault fault = {0};

    if (!atomic_load(&job->stop) &&
        score_frame(job->evaluation->protocol, s, at.frame, &fault))
        blame(job, s, &fault);
}

static int score_frames(struct job *job, int threads)
{
    struct evaluation *e = job->evaluation;
    size_t all = 0;
    int n = 0;

    for (int i = 0; i < e->count; i++)
        all += (size_t)e->sequence[i].truth.count;
    job->at = malloc(sizeof *job->at * (all + 1));
    if (!job->at)
        return -1;
    for (int i = 0; i < e->count; i++) {
        const struct eval_sequence *s = &e->sequence[i];
        bool first = e->protocol->pairing == PAIR_FIRST_FRAME;

        for (int t = 0; t < s->truth.count && !s->fault.code; t++)
            if (eval_is_scored(e->protocol, s, t) || (first && t == 0))
                job->at[n++] = (struct frame_at){i, t};
    }
    parallel_for(n, threads, frame_job, job);
    free(job->at);
    return 0;
}

/* ---- all ---------------------------------------------------------------- */

static int list_all(struct evaluation *e, const struct name_list *only,
                    struct fault *fault)
{
    struct name_list all = {0};
    int err = only ? 0 : folders_list(&all, e->truth, fault);
    const struct name_list *names = only ? only : &all;
    bool whole = true;

    if (err)
        return err;
    e->sequence = calloc((size_t)names->count, sizeof *e->sequence);
    for (int i = 0; e->sequence && i < names->count; i++) {
        e->sequence[i].name = text_format("%s", names->name[i]);
        whole = whole && e->sequence[i].name;
        e->count++;
    }
    names_free(&all);
    if (whole && e->sequence)
        return 0;
    err = fault_set(fault, TOOL_ENGINE, e->truth, "out of memory");
    evaluation_free(e);
    return err;
}

int evaluate(struct evaluation *out, const struct protocol *protocol, const char *truth,
             const char *guess, const struct eval_options *options, struct fault *fault)
{
    struct job job = {.evaluation = out};
    int err;

    *out = (struct evaluation){
        .protocol = protocol,
        .truth = truth,
        .guess = guess,
        .strict = options->strict,
        .all_annotated = options->all_annotated,
    };
    if (!is_folder(guess))
        return fault_set(fault, TOOL_INPUT, guess, "is no folder of results");
    err = list_all(out, options->only, fault);
    if (err)
        return err;
    pthread_mutex_init(&job.lock, NULL);
    parallel_for(out->count, options->threads, list_job, &job);
    if (!err && options->meta)
        err = eval_read_meta(out, options->meta, options->seen, fault);
    if (!err && score_frames(&job, options->threads))
        err = fault_set(fault, TOOL_ENGINE, truth, "out of memory");
    for (int i = 0; i < out->count && !err && !atomic_load(&job.stop); i++) {
        struct eval_sequence *s = &out->sequence[i];

        if (s->fault.code)
            continue;
        if (eval_score_sequence(protocol, s))
            err = fault_set(fault, TOOL_ENGINE, truth, "out of memory");
        else if (!eval_instances(s))
            fault_set(&s->fault, TOOL_INPUT, s->truth.file[s->truth.count - 1].path,
                      "no object has a frame to score: annotations of first frames alone "
                      "do not do");
    }
    pthread_mutex_destroy(&job.lock);
    if (err)
        evaluation_free(out);
    return err;
}

static void sequence_free(struct eval_sequence *s)
{
    for (int i = 0; i < s->objects && s->object; i++) {
        free(s->object[i].category);
        free(s->object[i].frame);
        free(s->object[i].j);
    }
    for (int t = 0; t < s->truth.count && s->guess; t++)
        free(s->guess[t]);
    frames_free(&s->truth);
    free(s->guess);
    free(s->listed);
    free(s->present);
    free(s->best);
    free(s->best_j);
    free(s->slot);
    free(s->j);
    free(s->object);
    free(s->name);
}

void evaluation_free(struct evaluation *evaluation)
{
    for (int i = 0; i < evaluation->count; i++)
        sequence_free(&evaluation->sequence[i]);
    free(evaluation->sequence);
    memset(evaluation, 0, sizeof *evaluation);
}
