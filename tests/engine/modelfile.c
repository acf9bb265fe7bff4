/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modelfile.c - changes, cuts, replaces or deletes a model file while it is open: the
 * result is an error status or the old weights, never a signal.
 *
 *     modelfile BACKEND MODEL_DIR */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

static const char *models;
static char words[4096]; /* all error lines after a change */

static void collect(void *opaque, rvos_log_level level, const char *line)
{
    size_t n = strlen(words);

    on_log(opaque, level, line);
    if (level == RVOS_LOG_ERROR)
        snprintf(words + n, sizeof(words) - n, "%s; ", line);
}

static const char *made;
static char path[64], other[64];

/* Overwrites the file in place, as cp does: the inode stays. */
static void copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char bytes[4096];

    if (!CHECK(in && out))
        exit(1);
    for (size_t n; (n = fread(bytes, 1, sizeof(bytes), in)) > 0;)
        CHECK(fwrite(bytes, 1, n, out) == n);
    fclose(in);
    fclose(out);
}

static void original(char *name, size_t size)
{
    snprintf(name, size, "%s/r18.safetensors", models);
}

static void nothing(void)
{
}

static void cut_to_header(void)
{
    CHECK(truncate(path, 4096) == 0);
}

static void cut_to_nothing(void)
{
    CHECK(truncate(path, 0) == 0);
}

static void cut_last_byte(void)
{
    struct stat info;

    CHECK(stat(path, &info) == 0 && truncate(path, info.st_size - 1) == 0);
}

/* Sets the time ten seconds ahead: the file system's clock may not have ticked since. */
static void overwrite(void)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    int fd = open(path, O_WRONLY);

    CHECK(pwrite(fd, "x", 1, 100000) == 1);
    times[1].tv_sec = time(NULL) + 10;
    CHECK(futimens(fd, times) == 0);
    close(fd);
}

static void delete_it(void)
{
    CHECK(unlink(path) == 0);
}

static void replace_it(void)
{
    FILE *f = fopen(other, "w");

    fputs("no model", f);
    fclose(f);
    CHECK(rename(other, path) == 0);
}

/* The change comes after the load, or after a first stream of another program. The error
 * line must hold `word`, if it is given. */
static void change(rvos_device *device, void (*what)(void), const char *name,
                   const char *word, bool first_stream)
{
    rvos_stream *stream = NULL, *first = NULL;
    rvos_model *model;
    char from[1024];
    int ret;

    original(from, sizeof(from));
    copy(from, path);
    log_.errors = log_.warnings = 0;
    words[0] = 0;
    model = load_model(device, made, "model", NET_W, NET_H);
    if (!model)
        return;
    if (first_stream)
        first = open_stream(model, RVOS_TASK_ZERO_SHOT, 1);
    what();
    ret = rvos_stream_open(
        &stream, model, &(rvos_stream_params){.task = RVOS_TASK_ONE_SHOT, .objects = 2});
    test_note(CHECK(ret == (word ? RVOS_ERR_IO : 0)), "%s: %d", name, ret);
    test_note(CHECK(!word || strstr(words, word)), "%s: no \"%s\" in %s", name, word,
              words);
    test_note(CHECK(!word || strstr(words, path)), "%s: %s", name, words);
    CHECK(!stream == (word != NULL) && (log_.errors > 0) == (word != NULL));
    if (stream)
        CHECK(process_frame(stream, 0, NULL) == 0);
    if (first) /* its plan exists */
        CHECK(process_frame(first, 0, NULL) == 0);
    rvos_stream_close(&stream);
    close_handles(&first, &model, NULL);
    unlink(path);
}

int main(int argc, char **argv)
{
    static const struct {
        void (*what)(void);
        const char *name, *word;
    } changes[] = {
        {nothing, "nothing", NULL},
        {cut_to_header, "cut to 4096 bytes", "cut short"},
        {cut_to_nothing, "cut to nothing", "cut short"},
        {cut_last_byte, "cut by a byte", "since it was opened"},
        {overwrite, "overwritten", "changed"},
        {delete_it, "deleted", NULL},
        {replace_it, "replaced", NULL},
    };
    rvos_device *device;

    if (argc < 3)
        return test_skip("usage: modelfile BACKEND MODEL_DIR");
    models = argv[2];
    log_.quiet = true;
    made = test_folder();
    snprintf(path, sizeof(path), "%s/model.safetensors", made);
    snprintf(other, sizeof(other), "%s/other", made);
    CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = argv[1],
                                                          .threads = 2,
                                                          .log = collect,
                                                          .log_opaque = &log_}) == 0);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        for (int first = 0; first < 2; first++)
            change(device, changes[i].what, changes[i].name, changes[i].word, first);
    rvos_device_close(&device);
    return test_done();
}
