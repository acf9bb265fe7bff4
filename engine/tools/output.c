/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folders.h"

/* ---- signals ------------------------------------------------------------ */

/* Temporary names that exist now, in a fixed table, because a signal handler cannot
 * allocate memory or take a lock. The table is large enough: one name per writing thread,
 * and a few more. */
#define SLOTS 80
enum { FREE, FILLED, EXISTS };

static struct {
    atomic_int state;
    char path[PATH_MAX];
} slots[SLOTS];
static atomic_bool ending;

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};

/* Ends the program with the same signal, so that its parent sees it. */
static void on_signal(int number)
{
    atomic_store(&ending, true);
    for (int i = 0; i < SLOTS; i++) {
        /* If another thread is about to make the file, wait for it. */
        for (int k = 0; k < 20 && atomic_load(&slots[i].state) == FILLED; k++)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (atomic_load(&slots[i].state) != FREE)
            unlink(slots[i].path);
    }
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns */
}

void output_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}, old;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaddset(&action.sa_mask, fatal[i]);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (!sigaction(fatal[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(fatal[i], &action, NULL);
}

/* -1: the table is full or the name is too long. Then a signal leaves the file behind. */
static int take_slot(const char *path)
{
    if (strlen(path) >= sizeof slots[0].path)
        return -1;
    for (int i = 0; i < SLOTS; i++) {
        int expected = FREE;

        /* Write the name only after taking the slot: the handler skips free slots. */
        if (!atomic_compare_exchange_strong(&slots[i].state, &expected, FILLED))
            continue;
        strcpy(slots[i].path, path);
        return i;
    }
    return -1;
}

/* If the signal handler runs in another thread, make no more files: the program is
 * ending. */
static void stop_if_ending(void)
{
    while (atomic_load(&ending))
        pause();
}

static void mark(int slot, int state)
{
    if (slot >= 0)
        atomic_store(&slots[slot].state, state);
}

/* ---- names -------------------------------------------------------------- */

int output_failed(const char *path, struct fault *fault)
{
    return fault_set(fault, TOOL_OUTPUT, path, "cannot be written: %s", strerror(errno));
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? text_format("%.*s", (int)(slash - path + 1), path) : text_format("./");
}

static char *temporary_name(const char *folder)
{
    uint64_t random[2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return NULL;
    return text_format("%s.rvos-%016llx%016llx.part", folder,
                       (unsigned long long)random[0], (unsigned long long)random[1]);
}

/* A device, pipe or socket, or a kernel name such as /dev/stdout. */
static bool is_special(const char *path)
{
    struct stat st;

    if (!strncmp(path, "/proc/", 6) || !strcmp(path, "/dev/stdout") ||
        !strcmp(path, "/dev/stderr") || !strncmp(path, "/dev/fd/", 8))
        return true;
    return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* ---- files -------------------------------------------------------------- */

/* Makes a file with a temporary name: 0, or -1 with errno. `make` creates it. */
static int with_hidden_name(struct output *out, int (*make)(struct output *out, int fd),
                            int fd)
{
    int made;

    free(out->temporary);
    out->temporary = temporary_name(out->folder);
    if (!out->temporary)
        return -1;
    out->slot = take_slot(out->temporary);
    stop_if_ending();
    made = make(out, fd);
    mark(out->slot, made < 0 ? FREE : EXISTS);
    stop_if_ending();
    if (made < 0) {
        int reason = errno;

        free(out->temporary);
        out->temporary = NULL;
        out->slot = -1;
        errno = reason;
    }
    return made;
}

static int create_hidden(struct output *out, int fd)
{
    (void)fd;
    return open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0666);
}

static int give_name(int fd, const char *path)
{
    char from[32];

    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int link_hidden(struct output *out, int fd)
{
    return give_name(fd, out->temporary);
}

/* Opens a file without a name, if the file system and /proc support that. */
static int open_unnamed(const char *folder)
{
    if (access("/proc/self/fd", X_OK))
        return -1;
    return open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
}

static int open_file(struct output *out, const char *path)
{
    int fd;

    if (is_special(path)) {
        out->direct = true;
        return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    }
    if (is_folder(path)) {
        errno = EISDIR;
        return -1;
    }
    fd = open_unnamed(out->folder);
    return fd >= 0 ? fd : with_hidden_name(out, create_hidden, -1);
}

int output_open(struct output *out, const char *path, struct fault *fault)
{
    int fd;

    *out = (struct output){.slot = -1, .direct = !strcmp(path, "-")};
    out->path = text_format("%s", out->direct ? "standard output" : path);
    out->folder = folder_of(path);
    if (!out->path || !out->folder) {
        output_discard(out);
        return fault_set(fault, TOOL_ENGINE, path, "out of memory");
    }
    if (out->direct) {
        out->file = stdout;
        return 0;
    }
    fd = open_file(out, path);
    out->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (out->file)
        return 0;
    output_failed(path, fault);
    if (fd >= 0)
        close(fd);
    output_discard(out);
    return TOOL_OUTPUT;
}

static void forget(struct output *out)
{
    mark(out->slot, FREE);
    free(out->path);
    free(out->folder);
    free(out->temporary);
    *out = (struct output){.slot = -1};
}

void output_discard(struct output *out)
{
    if (out->file && out->file != stdout)
        fclose(out->file);
    if (out->temporary)
        unlink(out->temporary);
    if (out->path)
        forget(out);
}

/* Gives the complete file its final name. */
static int put_in_place(struct output *out, int fd)
{
    if (!out->temporary) {
        if (!give_name(fd, out->path))
            return 0;
        /* The name exists, and only rename can replace a file. */
        if (errno != EEXIST || with_hidden_name(out, link_hidden, fd) < 0)
            return -1;
    }
    return rename(out->temporary, out->path);
}

/* Flushes the file. A file with a name is also closed, because some network file systems
 * report a full disk only then. A file without a name would be lost by closing. */
static int finish(struct output *out, bool lasting)
{
    FILE *file = out->file;

    if (fflush(file) || ferror(file))
        return -1;
    if (lasting && !out->direct && fsync(fileno(file)))
        return -1;
    if (!out->temporary)
        return 0;
    out->file = NULL;
    return fclose(file);
}

int output_commit(struct output *out, bool lasting, struct fault *fault)
{
    int err = 0;

    if (finish(out, lasting))
        err = output_failed(out->path, fault);
    else if (!out->direct && put_in_place(out, out->file ? fileno(out->file) : -1))
        err = output_failed(out->path, fault);
    if (!err && out->temporary) { /* renamed, so there is nothing to remove */
        mark(out->slot, FREE);
        free(out->temporary);
        out->temporary = NULL;
        out->slot = -1;
    }
    output_discard(out);
    return err;
}
