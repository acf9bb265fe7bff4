/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* badmodel.c - tests files that are not models: each gives its status and one line that
 * names the file and its defect; the device keeps working.
 *
 *     badmodel BACKEND BROKEN_DIR        made by broken_models.py */
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static void expect(rvos_device *device, const char *path, int status, const char *word)
{
    rvos_model *model = (void *)1;
    int ret = rvos_model_load(&model, device, path, NULL);

    test_note(CHECK(ret == status), "%s: %d, not %d: %s", path, ret, status, log_.last);
    test_note(CHECK(!model), "%s", path);
    if (test_note(CHECK(log_.errors == 1 && !log_.warnings), "%s: %d lines", path,
                  log_.errors)) {
        test_note(CHECK(strstr(log_.last, path) != NULL), "%s: %s", path, log_.last);
        test_note(CHECK(strstr(log_.last, word) != NULL), "no \"%s\": %s", word,
                  log_.last);
        test_note(CHECK(!strchr(log_.last, '\n')), "%s", path);
    }
    log_.errors = log_.warnings = 0;
    log_.last[0] = 0;
    rvos_model_close(&model);
}

static void good(rvos_device *device)
{
    rvos_model *model = load_model(device, folder, "good", NET_W, NET_H);
    rvos_stream *stream = model ? open_stream(model, RVOS_TASK_ZERO_SHOT, 1) : NULL;

    CHECK(stream && process_frame(stream, 0, NULL) == 0 && log_.errors == 0);
    close_handles(&stream, &model, NULL);
}

static void listed(rvos_device *device)
{
    char path[1024], name[200], word[200];
    FILE *list;
    int status;

    snprintf(path, sizeof(path), "%s/cases.txt", folder);
    list = fopen(path, "r");
    if (!CHECK(list != NULL))
        return;
    for (int n = 0; fscanf(list, "%199[^\t]\t%d%*[\t]", name, &status) == 2; n++) {
        if (!fgets(word, sizeof(word), list))
            break;
        word[strcspn(word, "\n")] = 0;
        snprintf(path, sizeof(path), "%s/%s.safetensors", folder, name);
        expect(device, path, status, word);
        if (n % 20 == 0)
            good(device);
    }
    CHECK(feof(list));
    fclose(list);
}

/* Things other than files. */
static void no_files(rvos_device *device)
{
    const char *own = test_folder();
    char path[64], long_name[300];

    expect(device, own, RVOS_ERR_IO, "directory");
    expect(device, "/nowhere/at/all", RVOS_ERR_NOT_FOUND, "");
    expect(device, "/dev/null", RVOS_ERR_IO, "regular");
    snprintf(path, sizeof(path), "%s/x", own);
    CHECK(mkfifo(path, 0600) == 0);
    expect(device, path, RVOS_ERR_IO, "regular"); /* must not wait for a writer */
    unlink(path);
    CHECK(symlink("x", path) == 0);
    expect(device, path, RVOS_ERR_IO, "");
    unlink(path);
    expect(device, path, RVOS_ERR_NOT_FOUND, "");
    if (geteuid()) { /* root may read everything */
        fclose(fopen(path, "w"));
        chmod(path, 0);
        expect(device, path, RVOS_ERR_IO, "");
        unlink(path);
    }
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[0] = '/';
    long_name[sizeof(long_name) - 1] = 0;
    expect(device, long_name, RVOS_ERR_IO, "too long");
    expect(device, "", RVOS_ERR_NOT_FOUND, "");
}

/* A name with escape sequences of terminals. */
static void bad_names(rvos_device *device)
{
    static const char name[] = "/no\x1b[2J\n\xc2\x9b\xe2\x80\xae\xff/caf\xc3\xa9";
    rvos_model *model = NULL;

    CHECK(rvos_model_load(&model, device, name, NULL) == RVOS_ERR_NOT_FOUND);
    test_note(CHECK(strstr(log_.last, "/no?[2J????"
                                      "??"
                                      "?"
                                      "/caf\xc3\xa9: ") != NULL),
              "%s", log_.last);
    log_.errors = 0;
}

int main(int argc, char **argv)
{
    rvos_device *device;

    if (argc < 3)
        return test_skip("usage: badmodel BACKEND BROKEN_DIR");
    folder = argv[2];
    log_.quiet = true;
    device = open_device(argv[1], 2, &log_);
    listed(device);
    no_files(device);
    bad_names(device);
    good(device);
    rvos_device_close(&device);
    return test_done();
}
