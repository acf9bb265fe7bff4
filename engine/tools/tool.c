/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define MOST_OPTIONS 32

static void begin(void)
{
    /* Open closed standard files for the wrong direction, so that using them fails. */
    static const int way[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", way[fd]) != fd)
            _exit(TOOL_OUTPUT);
    signal(SIGXFSZ, SIG_IGN); /* make the file size limit an ordinary write error */
    output_catch_signals();
}

static int end(const char *program, int status)
{
    struct fault fault = {0};

    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    fault_set(&fault, TOOL_OUTPUT, "standard output", "cannot be written%s%s",
              errno ? ": " : "", errno ? strerror(errno) : "");
    if (status != TOOL_OUTPUT) /* else it is already reported */
        fault_print(&fault, program);
    return status ? status : TOOL_OUTPUT;
}

int tool_main(const char *program, int argc, char **argv,
              int (*run)(int argc, char **argv, struct fault *fault))
{
    struct fault fault = {0};
    int err;

    begin();
    err = run(argc, argv, &fault);
    if (err == TOOL_HELP)
        err = 0;
    else if (err > 0 && fault.code)
        err = fault_print(&fault, program);
    return end(program, err < 0 ? -err : err);
}

/* ---- options ------------------------------------------------------------ */

bool read_word(const struct tool_option *option, char *word)
{
    *(const char **)option->to = word;
    return true;
}

static bool number(const char *word, int min, int max, int *out)
{
    char *rest;
    long n = strtol(word, &rest, 10);

    if (rest == word || *rest || n < min || n > max)
        return false;
    *out = (int)n;
    return true;
}

bool read_number(const struct tool_option *option, char *word)
{
    return number(word, option->min, option->max, option->to);
}

bool read_size(const struct tool_option *option, char *word)
{
    char first[8];
    size_t n = strcspn(word, "xX");

    if (!word[n] || n >= sizeof first)
        return false;
    memcpy(first, word, n);
    first[n] = 0;
    return number(first, 32, 4096, option->to) &&
           number(word + n + 1, 32, 4096, option->height);
}

int tool_set(const struct tool_option *option, char *word, struct fault *fault)
{
    char numbers[64];

    if (!option->read)
        *(bool *)option->to = true;
    else if (!option->read(option, word)) {
        snprintf(numbers, sizeof numbers, "a number from %d to %d", option->min,
                 option->max);
        return fault_set(fault, TOOL_USAGE, NULL, "--%s takes %s, not \"%s\"",
                         option->name, option->expected ? option->expected : numbers,
                         word);
    }
    return 0;
}

int tool_options(const struct tool_option *table, const char *usage, int argc,
                 char **argv, struct fault *fault)
{
    /* getopt_long returns the number of a row, or its letter. */
    struct option names[MOST_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    char letters[2 * MOST_OPTIONS + 2] = "h";
    int option, n = 0, err = 0;

    for (; table[n].name && n < MOST_OPTIONS; n++) {
        const char letter[] = {(char)table[n].letter, table[n].read ? ':' : 0, 0};
        int argument = table[n].read ? required_argument : no_argument;

        names[n + 1] = (struct option){table[n].name, argument, NULL, 256 + n};
        if (table[n].letter)
            strcat(letters, letter);
    }
    while (!err && (option = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        int row = option - 256;

        if (option == 'h') {
            fputs(usage, stdout);
            return TOOL_HELP;
        }
        for (int i = 0; i < n && option < 256; i++)
            if (table[i].letter == option)
                row = i;
        if (row >= 0)
            err = tool_set(&table[row], optarg, fault);
        else /* getopt_long has named the option */
            err = fault_set(fault, TOOL_USAGE, NULL, "see --help");
    }
    return err;
}
