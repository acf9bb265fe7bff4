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

/* Writes a mask with boxes on 0; `type` as above, `depth` bits a pixel and channel. In
 * RGB each slot has a colour that is not in the palette. */
void write_png(const gchar *path, int type, int depth, guint width, guint height,
               const RigBox *boxes);

/* A mask of the rig's size, with one box. */
void write_pgm(const gchar *path, const RigBox *box);

/* A PGM with the frames' aspect ratio. Each row's values are the bytes of `values`. Free
 * the path. */
gchar *write_values(const gchar *dir, const gchar *name, const gchar *values, guint n);

/* A rig in one-shot mode; `location` may be NULL. */
Rig *rig_one_shot(const gchar *location);

/* The next warning must have these words; NULL: there must be none. */
void rig_expect_warning(Rig *rig, const gchar *part);

#endif
