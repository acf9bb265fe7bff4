/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* campaign.h - all sequences of a data set, several at a time; what an earlier run
 * has finished is left alone. */
#ifndef RV_TOOLS_CAMPAIGN_H
#define RV_TOOLS_CAMPAIGN_H

#include "dataset.h"
#include "sequence.h"

struct campaign {
    const struct dataset_rules *rules;
    const char *root, *out;
    const char *split, *list; /* see dataset_open */
    int jobs;                 /* sequences at a time; 0: 2 */
    bool strict;              /* end at the first sequence that fails */
    bool force;               /* do all again, whatever an earlier run left */
    bool assign;              /* the result step of assign.h, by the annotations */
    bool through_gst;         /* by the GStreamer element instead of the engine */
    bool quiet;
};

/* Writes OUT/SEQUENCE/FRAME.png. Sequences that fail are told on stderr, the others
 * go on; the status of the last of them is returned, with the fault's text empty. */
int campaign_run(const struct campaign *campaign, const struct session_options *session,
                 const struct sequence_options *sequence, struct fault *fault);

#endif
