/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool.h - start, options and end of every tool. */
#ifndef RV_TOOLS_TOOL_H
#define RV_TOOLS_TOOL_H

#include <stdbool.h>

#include "fault.h"

/* Instead of a tool_exit: the help text is printed, there is no more to do. */
#define TOOL_HELP 256

struct tool_option {
    const char *name;
    int letter; /* 0: none */
    /* Reads a word to `to`; false: it is no value of this option. NULL: a flag, and `to`
     * is its bool. */
    bool (*read)(const struct tool_option *option, char *word);
    void *to;
    const char *expected; /* all values, for messages; NULL: numbers */
    int min, max;         /* of read_number */
    int *height;          /* of read_size, with the width in `to` */
};

bool read_word(const struct tool_option *option, char *word); /* to const char * */
bool read_number(const struct tool_option *option, char *word);
bool read_size(const struct tool_option *option, char *word); /* WxH, 32..4096 each */

/* Reads one value. */
int tool_set(const struct tool_option *option, char *word, struct fault *fault);

/* Reads the options of a command line up to argv[optind]; the table ends with a row
 * without a name. Adds --help. Returns 0, a tool_exit or TOOL_HELP. */
int tool_options(const struct tool_option *table, const char *usage, int argc,
                 char **argv, struct fault *fault);

/* The body of main(). Sets up signals, and opens closed standard files, so that no other
 * file gets their numbers. Prints the fault that `run` returns; a negative status, or one
 * without a fault, is already reported. If printed output was lost, says so and turns
 * TOOL_OK into TOOL_OUTPUT. */
int tool_main(const char *program, int argc, char **argv,
              int (*run)(int argc, char **argv, struct fault *fault));

#endif
