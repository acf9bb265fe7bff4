/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool.h - start and end of every tool. */
#ifndef RV_TOOLS_TOOL_H
#define RV_TOOLS_TOOL_H

/* Call before anything is opened. Sets up signals, and opens closed standard files, so
 * that no other file gets their numbers. */
void tool_begin(void);

/* Call last in main(); returns the exit status. If printed output was lost, it says so
 * and turns TOOL_OK into TOOL_OUTPUT. */
int tool_end(const char *program, int status);

#endif
