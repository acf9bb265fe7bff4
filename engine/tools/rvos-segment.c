/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvos-segment - segments a folder of frames into a folder of palette PNGs. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign.h"
#include "tool.h"
#include "through_gst.h"

static const char usage[] =
    "Usage: rvos-segment [OPTIONS] FRAMES_DIR OUT_DIR\n"
    "       rvos-segment [OPTIONS] --dataset NAME ROOT OUT_DIR\n"
    "Segment the objects of a video: for every frame of FRAMES_DIR (PNG, JPEG, PPM,\n"
    "PGM; in natural order) OUT_DIR gets a palette PNG of the same name, where a\n"
    "pixel's value is its object and 0 is background. Pictures are turned as their\n"
    "EXIF orientation says; masks are of the turned shape.\n"
    "\n"
    "  -m, --model FILE         weights (.safetensors); default: $RVOS_MODEL,\n"
    "                           else the model that came with this program\n"
    "  -t, --task TASK          zero-shot: find the objects by itself; one-shot:\n"
    "                           follow those of --init-mask; auto: find objects as\n"
    "                           zero-shot does, then follow them and those of\n"
    "                           --init-mask. Default: one-shot with a mask, zero-shot\n"
    "                           without\n"
    "  -i, --init-mask PATH     a mask for the first frame (PNG or PGM: object\n"
    "                           numbers, or one object in black and white), a folder\n"
    "                           of them named as the frames at which objects first\n"
    "                           appear, or a pattern such as m/%05d.png with the\n"
    "                           frames' numbers, from 0; all slots up to the highest\n"
    "                           object run from frame 0 on\n"
    "  -n, --objects N          slots, 1..32; default: the highest object of the\n"
    "                           given masks, else the model's own\n"
    "  -v, --variant VARIANT    spatio-temporal (default), spatial or temporal\n"
    "  -e, --engine ENGINE      auto (default), cpu, cuda, or reference (slow)\n"
    "  -p, --precision P        auto (default), fp32, tf32, fp16, bf16, int16 or int8\n"
    "  -s, --size WxH           network size; default: the model's own\n"
    "  -j, --threads N          CPU threads; default: all cores\n"
    "  -a, --assign ANNOTATION  emulate the result step of the published evaluation:\n"
    "                           choose masks for the objects of this palette PNG (or\n"
    "                           folder) and paint them by their overlap with it\n"
    "  -d, --dump-probs FILE    float32 .npy (frames, objects, H, W), network size\n"
    "      --live-slots         one-shot: run a slot only from its object's first\n"
    "                           frame on, as the GStreamer element does\n"
    "      --discovery-interval N  auto: frames between two searches for new objects;\n"
    "                           0: search only at the beginning; default: 15\n"
    "      --through-gst        run the GStreamer element rvosseg instead of the\n"
    "                           engine\n"
    "  -q, --quiet              no progress\n"
    "  -h, --help               this text\n"
    "\n"
    "Of a whole data set, to OUT_DIR/SEQUENCE/FRAME.png; run again, it goes on where\n"
    "it was interrupted:\n"
    "  -D, --dataset NAME       davis2016, davis2017 or youtube-vos, laid out in ROOT\n"
    "                           as published; --task is one-shot unless told\n"
    "                           otherwise\n"
    "      --split NAME         default: val (DAVIS; all, if there is no such list),\n"
    "                           valid (YouTube-VOS)\n"
    "      --sequences FILE     these sequences only, one name a line (UTF-8, #\n"
    "                           comments)\n"
    "      --jobs N             sequences at a time; default: 2\n"
    "      --strict             stop at the first sequence that fails\n"
    "      --force              do finished sequences again\n"
    "  -a, --assign annotations with the annotations of the data set\n"
    "\n"
    "Exit status: 0 done, 1 wrong command line, or results would replace what is\n"
    "read, 2 a frame or mask cannot be used, 3 the model or the device cannot run it,\n"
    "or memory has run out, 4 a result cannot be written.\n";

struct command {
    struct session_options session;
    struct sequence_options sequence;
    struct campaign campaign; /* rules NULL: one folder */
    const char *frames, *out;
    bool quiet;
};

static bool read_data_set(const struct tool_option *option, char *word)
{
    const struct dataset_rules **rules = option->to;

    *rules = dataset_find(word);
    return *rules;
}

/* As in rvos_stream_params. */
static bool read_interval(const struct tool_option *option, char *word)
{
    int *interval = option->to;

    if (!read_number(option, word))
        return false;
    *interval = *interval ? *interval : -1;
    return true;
}

static int complete_data_set(struct command *c, struct fault *fault)
{
    if (c->sequence.init_mask || c->sequence.probs)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--init-mask and --dump-probs are for one folder of frames: "
                         "with --dataset the annotations are taken");
    if (c->sequence.assign && strcmp(c->sequence.assign, "annotations"))
        return fault_set(fault, TOOL_USAGE, NULL,
                         "with --dataset it is --assign annotations, not \"%s\"",
                         c->sequence.assign);
    if (!c->sequence.task)
        c->sequence.task = RVOS_TASK_ONE_SHOT;
    c->campaign.assign = c->sequence.assign != NULL;
    c->sequence.assign = NULL;
    c->campaign.root = c->frames;
    c->campaign.out = c->out;
    c->campaign.quiet = c->quiet;
    return 0;
}

/* Without --dataset these options would be ignored, and other frames done than wanted. */
static int refuse_data_set_options(const struct campaign *o, struct fault *fault)
{
    const char *name = o->split    ? "--split"
                       : o->list   ? "--sequences"
                       : o->jobs   ? "--jobs"
                       : o->strict ? "--strict"
                       : o->force  ? "--force"
                                   : NULL;

    return name ? fault_set(fault, TOOL_USAGE, NULL,
                            "%s belongs to --dataset: name the data set, too", name)
                : 0;
}

static int complete(struct command *c, struct fault *fault)
{
    int err = c->campaign.rules ? 0 : refuse_data_set_options(&c->campaign, fault);

    if (err)
        return err;
    if (!c->session.model)
        c->session.model = session_default_model();
    if (!c->session.model)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "no model: name a .safetensors file with --model");
    if (c->campaign.rules)
        return complete_data_set(c, fault);
    if (!c->sequence.task)
        c->sequence.task =
            c->sequence.init_mask ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
    if (c->sequence.task == RVOS_TASK_ONE_SHOT && !c->sequence.init_mask)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--task one-shot needs --init-mask, the objects to follow");
    if (c->sequence.task == RVOS_TASK_ZERO_SHOT && c->sequence.init_mask)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--init-mask belongs to --task one-shot or auto; zero-shot "
                         "finds the objects by itself");
    if (c->sequence.discovery_interval && c->sequence.task != RVOS_TASK_AUTO)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "--discovery-interval belongs to --task auto");
    return 0;
}

static int parse(struct command *c, int argc, char **argv, struct fault *fault)
{
    const struct tool_option options[] = {
        {"model", 'm', read_word, &c->session.model},
        {"task", 't', read_task, &c->sequence.task, TASK_WORDS},
        {"init-mask", 'i', read_word, &c->sequence.init_mask},
        {"objects", 'n', read_number, &c->sequence.objects, NULL, 1, RVOS_MAX_OBJECTS},
        {"variant", 'v', read_variant, &c->sequence.variant, VARIANT_WORDS},
        {"engine", 'e', read_engine, &c->session.engine, ENGINE_WORDS},
        {"precision", 'p', read_precision, &c->session.precision, PRECISION_WORDS},
        {"size", 's', read_size, &c->session.width, SIZE_WORDS,
         .height = &c->session.height},
        {"threads", 'j', read_number, &c->session.threads, NULL, 1, 1024},
        {"assign", 'a', read_word, &c->sequence.assign},
        {"dump-probs", 'd', read_word, &c->sequence.probs},
        {"dataset", 'D', read_data_set, &c->campaign.rules,
         "davis2016, davis2017 or youtube-vos"},
        {"split", 0, read_word, &c->campaign.split},
        {"sequences", 0, read_word, &c->campaign.list},
        {"jobs", 0, read_number, &c->campaign.jobs, NULL, 1, 64},
        {"strict", 0, NULL, &c->campaign.strict},
        {"force", 0, NULL, &c->campaign.force},
        {"live-slots", 0, NULL, &c->sequence.live_slots},
        {"discovery-interval", 0, read_interval, &c->sequence.discovery_interval, NULL, 0,
         1000000},
        {"through-gst", 0, NULL, &c->campaign.through_gst},
        {"quiet", 'q', NULL, &c->quiet},
        {0}};
    int err = tool_options(options, usage, argc, argv, fault);

    if (err)
        return err;
    if (argc - optind != 2)
        return fault_set(fault, TOOL_USAGE, NULL,
                         "give the folder of the frames and one for the masks; see "
                         "rvos-segment --help");
    c->frames = argv[optind];
    c->out = argv[optind + 1];
    return complete(c, fault);
}

/* Checks that no input is overwritten: frames, given masks, model. */
static int check_folder(const struct command *c, const struct frame_list *frames,
                        struct fault *fault)
{
    const char *probs = c->sequence.probs;
    struct guard guard = {0};
    int err;

    guard_add(&guard, c->frames);
    guard_add(&guard, c->sequence.init_mask);
    guard_add(&guard, c->sequence.assign);
    guard_add(&guard, c->session.model);
    err = results_check(&guard, c->out, frames, fault);
    if (!err && probs)
        err = guard_check(&guard, probs, fault);
    for (int i = 0; i < frames->count && probs && !err; i++) {
        char *mask = results_path(c->out, &frames->file[i]);

        if (!mask)
            err = fault_set(fault, TOOL_ENGINE, c->out, "out of memory");
        else if (guard_same_file(mask, probs))
            err = fault_set(fault, TOOL_USAGE, probs,
                            "is to hold a mask, too: name another file");
        free(mask);
    }
    guard_free(&guard);
    return err;
}

static int run_folder(const struct command *c, const struct frame_list *frames,
                      struct progress *progress, struct fault *fault)
{
    struct session session;
    int err;

    if (c->campaign.through_gst)
        return through_gst_run(&c->session, &c->sequence, frames, c->out, progress,
                               fault);
    err = session_open(&session, &c->session, fault);
    if (err)
        return err;
    err = sequence_run(&session, &c->sequence, frames, c->out, progress, fault);
    session_close(&session);
    return err;
}

static int segment(const struct command *c, struct fault *fault)
{
    struct frame_list frames;
    struct progress progress;
    int err;

    if (c->campaign.rules)
        return campaign_run(&c->campaign, &c->session, &c->sequence, fault);
    err = frames_list(&frames, c->frames, fault);
    if (err)
        return err;
    err = check_folder(c, &frames, fault);
    if (err) {
        frames_free(&frames);
        return err;
    }
    progress_start(&progress, "frames", frames.count, c->quiet);
    err = run_folder(c, &frames, &progress, fault);
    if (err)
        progress_stop(&progress);
    else
        progress_finish(&progress, c->out);
    frames_free(&frames);
    return err;
}

static int run(int argc, char **argv, struct fault *fault)
{
    struct command command = {.sequence.mask_kind = MASK_SLOTS};
    int err = parse(&command, argc, argv, fault);

    return err ? err : segment(&command, fault);
}

int main(int argc, char **argv)
{
    return tool_main("rvos-segment", argc, argv, run);
}
