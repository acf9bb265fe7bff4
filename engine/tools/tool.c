/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "output.h"

void tool_begin(void)
{
    /* Open closed standard files for the wrong direction, so that using them fails. */
    static const int way[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", way[fd]) != fd)
            _exit(TOOL_OUTPUT);
    signal(SIGXFSZ, SIG_IGN); /* make the file size limit an ordinary write error */
    output_catch_signals();
}

int tool_end(const char *program, int status)
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
