/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_run.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folders.h"

extern char **environ;

#define PROGRAM "rvos-report"

/* The path of rvos-report beside this program, or its name for PATH; to be freed. */
static char *program(void)
{
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash, *path = NULL;

    self[size > 0 ? size : 0] = 0;
    slash = strrchr(self, '/');
    if (slash)
        path = text_format("%.*s/%s", (int)(slash - self), self, PROGRAM);
    if (path && !access(path, X_OK))
        return path;
    free(path);
    return text_format("%s", PROGRAM);
}

/* Runs the program and returns its exit status; -1 with errno: it could not be run. */
static int run(char *const argv[], FILE *in, FILE *out)
{
    posix_spawn_file_actions_t actions;
    int status = -1, err = ENOMEM;
    char *path = program();
    pid_t child;

    if (path && !posix_spawn_file_actions_init(&actions)) {
        posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
        err = posix_spawnp(&child, path, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    free(path);
    errno = err;
    if (err)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    /* If it was killed by a signal, act as if it had failed. */
    return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_ENGINE;
}

/* Copies a whole temporary file to the report; does not close it. */
static int take(const char *path, FILE *from, struct fault *fault)
{
    long size = fseek(from, 0, SEEK_END) ? -1 : ftell(from);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    int err;

    rewind(from);
    if (!text || fread(text, 1, (size_t)size, from) != (size_t)size)
        err = fault_set(fault, TOOL_ENGINE, path, "out of memory");
    else
        err = file_write(path, text, (size_t)size, fault);
    free(text);
    return err;
}

static int report(const char *path, char *const argv[], const json_t *root,
                  struct fault *fault)
{
    FILE *in = tmpfile(), *out = tmpfile();
    int status, err;

    if (!in || !out || (root && json_dumpf(root, in, JSON_ENSURE_ASCII)) || fflush(in))
        err = fault_set(fault, TOOL_OUTPUT, path, "no temporary file: %s",
                        strerror(errno ? errno : ENOMEM));
    else {
        rewind(in);
        status = run(argv, in, out);
        if (status < 0)
            err = fault_set(fault, TOOL_OUTPUT, path,
                            "is written by " PROGRAM ", which cannot be run: %s",
                            strerror(errno));
        else if (status)
            err = -status; /* it has printed the reason */
        else
            err = argv[1] && !strcmp(argv[1], "--check") ? 0 : take(path, out, fault);
    }
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return err;
}

int report_check(const char *path, const char *kind, struct fault *fault)
{
    char *const argv[] = {PROGRAM, "--check", (char *)(uintptr_t)kind, NULL};

    return report(path, argv, NULL, fault);
}

int report_page(const char *path, const json_t *scores, struct fault *fault)
{
    char *const argv[] = {PROGRAM, "-", NULL};

    return report(path, argv, scores, fault);
}

int report_charts(const char *path, char *const *files, int count, struct fault *fault)
{
    char **argv = calloc((size_t)count + 3, sizeof *argv);
    int err;

    if (!argv)
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    argv[0] = PROGRAM;
    argv[1] = "--";
    memcpy(argv + 2, files, (size_t)count * sizeof *files);
    err = report(path, argv, NULL, fault);
    free(argv);
    return err;
}
