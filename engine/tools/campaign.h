/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* campaign.h - runs all sequences of a data set, several at a time. Sequences that an
 * earlier run has finished are skipped. */
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
    bool force;               /* also do finished sequences again */
    bool assign;              /* apply the result step of assign.h with the annotations */
    bool through_gst;         /* use the GStreamer element instead of the engine */
    bool quiet;
};

/* Writes OUT/SEQUENCE/FRAME.png. Failed sequences are reported on stderr and the others
 * go on. Returns the status of the last failure, with the fault's text empty. */
int campaign_run(const struct campaign *campaign, const struct session_options *session,
                 const struct sequence_options *sequence, struct fault *fault);

#endif
