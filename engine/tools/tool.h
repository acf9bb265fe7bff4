/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool.h - how every tool begins and ends. */
#ifndef RV_TOOLS_TOOL_H
#define RV_TOOLS_TOOL_H

/* Before anything is opened: signals, and the three standard files, so that no other file
 * gets the number of one that is closed. */
void tool_begin(void);

/* The last thing in main(): the exit status. What was printed may have been lost on the
 * way: then it says so, and TOOL_OK becomes TOOL_OUTPUT. */
int tool_end(const char *program, int status);

#endif
