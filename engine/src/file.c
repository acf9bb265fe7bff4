/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef _GNU_SOURCE /* to get the POSIX strerror_r */
#define _DEFAULT_SOURCE
#include "file.h"
#include "rvos.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

int rv_file_open(struct rv_file *file, const char *path, char *why, size_t why_size)
{
    /* O_NONBLOCK: opening a FIFO without a writer must not block. It has no effect on
     * files. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), status = 0;
    char words[128] = "unknown error";
    struct stat info;

    *file = (struct rv_file){.fd = -1};
    if (fd < 0 || fstat(fd, &info)) {
        status = errno == ENOENT || errno == ENOTDIR ? RVOS_ERR_NOT_FOUND : RVOS_ERR_IO;
        strerror_r(errno, words, sizeof(words));
        snprintf(why, why_size, "cannot open it: %s", words);
    } else if (!S_ISREG(info.st_mode)) {
        status = RVOS_ERR_IO;
        snprintf(why, why_size, "is %s",
                 S_ISDIR(info.st_mode) ? "a directory" : "not a regular file");
    }
    if (status) {
        if (fd >= 0)
            close(fd);
        return status;
    }
    *file = (struct rv_file){fd, (uint64_t)info.st_size, info.st_mtim};
    return 0;
}

void rv_file_close(struct rv_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* mtime has the resolution of the system's clock tick. A change within the tick of
 * rv_file_open that keeps the size is not noticed. */
static bool is_as_before(const struct rv_file *file)
{
    struct stat info;

    return !fstat(file->fd, &info) && (uint64_t)info.st_size == file->size &&
           info.st_mtim.tv_sec == file->changed.tv_sec &&
           info.st_mtim.tv_nsec == file->changed.tv_nsec;
}

int rv_file_read(const struct rv_file *file, uint64_t at, size_t n, void *out,
                 const char **why)
{
    const char *reason = NULL;
    size_t done = 0;

    while (done < n && !reason) {
        ssize_t got = pread(file->fd, (char *)out + done, n - done, (off_t)(at + done));

        if (got > 0)
            done += (size_t)got;
        else if (!got)
            reason = "has been cut short since it was opened";
        else if (errno != EINTR)
            reason = "cannot be read any more";
    }
    /* Checked after reading, so that the bytes read are the old ones. */
    if (!reason && !is_as_before(file))
        reason = "has been changed since it was opened";
    if (reason && why)
        *why = reason;
    return reason ? RVOS_ERR_IO : 0;
}

static bool begins(const uint8_t *start, size_t n, const char *with, size_t length)
{
    return n >= length && !memcmp(start, with, length);
}

static bool is_web_page(const uint8_t *start, size_t n)
{
    static const char *const tags[] = {"<!doctype html", "<html", "<head", "<?xml",
                                       "<!--"};
    /* Skips the byte order mark of UTF-8. */
    size_t at = begins(start, n, "\xef\xbb\xbf", 3) ? 3 : 0;

    while (at < n && strchr(" \t\r\n", start[at]) && start[at])
        at++;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        size_t length = strlen(tags[i]);

        if (n - at >= length && !strncasecmp((const char *)start + at, tags[i], length))
            return true;
    }
    return false;
}

const char *rv_file_mistaken(const uint8_t *start, size_t n)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *words;
    } known[] = {
#define CHECKPOINT "is a PyTorch checkpoint: convert it with data/convert.py"
#define COMPRESSED "is a compressed file: unpack it first"
        {"version https://git-lfs", 23,
         "is a git-lfs pointer, not the file itself: run \"git lfs pull\""},
        {"PK\3\4", 4,
         "is a zip file, such as a PyTorch checkpoint: convert that with "
         "data/convert.py"},
        {"\x80\2", 2, CHECKPOINT},
        {"\x80\3", 2, CHECKPOINT},
        {"\x80\4", 2, CHECKPOINT},
        {"\x80\5", 2, CHECKPOINT},
        {"\x1f\x8b", 2, COMPRESSED},
        {"\xfd"
         "7zXZ",
         5, COMPRESSED},
        {"BZh", 3, COMPRESSED},
        {"\x28\xb5\x2f\xfd", 4, COMPRESSED},
        {"7z\xbc\xaf", 4, COMPRESSED},
    };

    if (!n)
        return "is empty";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (begins(start, n, known[i].magic, known[i].length))
            return known[i].words;
    return is_web_page(start, n)
               ? "is a web page, not the file itself: the download link "
                 "was another one"
               : NULL;
}
