/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sequence.h - segments one video, from a folder of frames to a folder of masks. */
#ifndef RV_TOOLS_SEQUENCE_H
#define RV_TOOLS_SEQUENCE_H

#include "frames.h"
#include "guard.h"
#include "progress.h"
#include "seeds.h"
#include "session.h"

struct sequence_options {
    rvos_task task;
    rvos_variant variant;
    int objects; /* 0: those of the given masks, else the model's; auto: the higher */
    const char *init_mask; /* not zero-shot: picture, folder or pattern: seeds.h */
    enum mask_kind mask_kind;
    const char *assign; /* picture or folder for the result step of assign.h; NULL: use
                           the engine's labels */
    bool live_slots; /* one-shot: run a slot only from its object's first frame on, as the
                        element does */
    int discovery_interval; /* auto: as in rvos_stream_params */
    const char *probs;      /* .npy of all probabilities; NULL: none */
};

/* Writes OUT/<stem>.png for every frame; makes the folder. */
int sequence_run(struct session *session, const struct sequence_options *options,
                 const struct frame_list *frames, const char *out,
                 struct progress *progress, struct fault *fault);

/* Reports a mask whose shape differs from the frames'; it will be stretched. */
void sequence_check_shape(const struct picture *mask, const char *path, int width,
                          int height, struct progress *progress);

/* The masks of the options, checked; none for zero-shot. */
int sequence_seeds(struct seeds *out, const struct sequence_options *options,
                   const struct frame_list *frames, struct progress *progress,
                   struct fault *fault);

/* -- the paths of a video's masks: OUT/STEM.png for each frame -- */

/* To be freed; NULL: out of memory. */
char *results_path(const char *out, const struct frame_file *frame);

/* TOOL_USAGE if the command reads OUT or one of its masks. */
int results_check(struct guard *guard, const char *out, const struct frame_list *frames,
                  struct fault *fault);

/* Whether a file with a mask's name also has another name. Then it may be a file that is
 * read. */
bool results_linked(const char *out, const struct frame_list *frames);

#endif
