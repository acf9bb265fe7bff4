/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* maskfile.h - writes files of initial masks, good and bad ones. */
#ifndef MASKFILE_H
#define MASKFILE_H

#include <png.h>

#include "rig.h"

#define PALETTE PNG_COLOR_TYPE_PALETTE
#define GRAY PNG_COLOR_TYPE_GRAY
#define RGB PNG_COLOR_TYPE_RGB

/* An empty folder of that name to write to; to be freed. */
gchar *folder(const gchar *name);

/* With boxes painted on 0; `type` as above, `depth` bits a pixel and channel. In RGB each
 * slot has a colour that is nobody's. */
void write_png(const gchar *path, int type, int depth, guint width, guint height,
               const RigBox *boxes);

/* Of the rig's size, with one box. */
void write_pgm(const gchar *path, const RigBox *box);

/* A PGM of the frames' shape. Each row's values are the bytes of `values`. The path is to
 * be freed. */
gchar *write_values(const gchar *dir, const gchar *name, const gchar *values, guint n);

/* In one-shot mode; `location` may be NULL. */
Rig *rig_one_shot(const gchar *location);

/* The next warning has these words; NULL: there is none. */
void rig_expect_warning(Rig *rig, const gchar *part);

#endif
