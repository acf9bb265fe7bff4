/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "results.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "folders.h"

char *results_path(const char *out, const struct frame_file *frame)
{
    return text_format("%s/%s.png", out, frame->stem);
}

int results_check(struct guard *guard, const char *out, const struct frame_list *frames,
                  struct fault *fault)
{
    int err = guard_check_folder(guard, out, fault);

    for (int i = 0; i < frames->count && !err && is_folder(out); i++) {
        char *path = results_path(out, &frames->file[i]);

        err = path ? guard_check(guard, path, fault)
                   : fault_set(fault, TOOL_ENGINE, out, "out of memory");
        free(path);
    }
    return err;
}

bool results_linked(const char *out, const struct frame_list *frames)
{
    bool linked = false;

    for (int i = 0; i < frames->count && !linked && is_folder(out); i++) {
        char *path = results_path(out, &frames->file[i]);
        struct stat st;

        linked = path && !lstat(path, &st) && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
        free(path);
    }
    return linked;
}
