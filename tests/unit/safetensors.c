/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors.c - tests that good files are read, and broken ones refused with a message
 * that names the defect. The test writes all files into a temporary folder. */
#define _DEFAULT_SOURCE
#include "../test.h"
#include "../../engine/include/rvos.h"
#include "../../engine/src/safetensors.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static char err[512];

/* `length` is the stated length of the header; -1: the true one. */
static void write_file(const char *header, size_t header_size, int64_t length,
                       const void *data, size_t data_size)
{
    FILE *file = fopen(path, "wb");
    if (!CHECK(file != NULL))
        exit(1);
    uint64_t n = length < 0 ? header_size : (uint64_t)length;
    for (int i = 0; i < 8; i++)
        fputc((int)(n >> 8 * i & 255), file);
    fwrite(header, 1, header_size, file);
    fwrite(data, 1, data_size, file);
    fclose(file);
}

static void write_text(const char *header, size_t data_size)
{
    static const uint8_t zeroes[4096];
    write_file(header, strlen(header), -1, zeroes, data_size);
}

#define T(name, type, shape, from, to)                                                   \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #from  \
    "," #to "]}"

static void good_file(void)
{
    /* Two tensors, out of order, the metadata between them, escapes in it. */
    const char *header = "{" T(
        "z", "F32", "[2,1]", 12,
        20) " , \"__metadata__\" : {\"rvos.base\":\"a\\u00e9"
            "\\ud83d\\ude00\\n\\\"\xc3\xa9\",\"\":\"\"}, " T(
                "a.b", "F16", "[6]", 0,
                12) "," T("n", "I64", "[]", 20, 28) "," T("e", "F32", "[3,0,7]", 20,
                                                          20) "," T("odd", "F8_E4M3",
                                                                    "[5]", 28, 33) "}   ";
    static const uint8_t data[33] = {
        0x00, 0x3c, 0x01, 0x00, 0xff, 0x83, 0x00, 0x7c, 0x01, 0xfe, 0xff, 0x7b, /* F16 */
        0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc0,                         /* F32 */
        7};
    struct rv_st *st;
    write_file(header, strlen(header), -1, data, sizeof data);
    if (!CHECK(rv_st_open(&st, path, err, sizeof err) == 0)) {
        test_note(false, "%s", err);
        return;
    }
    CHECK(rv_st_count(st) == 5);
    CHECK(!strcmp(rv_st_get(st, 0)->name, "a.b") && !strcmp(rv_st_get(st, 4)->name, "z"));
    CHECK(!rv_st_get(st, -1) && !rv_st_get(st, 5));
    CHECK(!rv_st_find(st, "a.") && !rv_st_find(st, "") && !rv_st_find(st, "zz"));
    CHECK(!strcmp(rv_st_meta(st, "rvos.base"), "a\xc3\xa9\xf0\x9f\x98\x80\n\"\xc3\xa9"));
    CHECK(!strcmp(rv_st_meta(st, ""), "") && !rv_st_meta(st, "rvos"));
    const struct rv_st_tensor *a = rv_st_find(st, "a.b"), *z = rv_st_find(st, "z");
    float v[6];
    CHECK(a->type == RV_F16 && a->ndim == 1 && a->dim[0] == 6 && a->bytes == 12);
    CHECK(!rv_st_read_f32(st, a, 0, 6, v, NULL));
    CHECK(v[0] == 1 && v[1] == 0x1p-24f && v[2] == -0x1.ff8p-15f && v[3] == INFINITY);
    CHECK(isnan(v[4]) && v[5] == 65504);
    CHECK(!rv_st_read_f32(st, a, 5, 1, v, NULL) && v[0] == 65504 &&
          !rv_st_read_f32(st, a, 6, 0, v, NULL));
    CHECK(rv_st_read_f32(st, a, 5, 2, v, NULL) == RVOS_ERR_ARGUMENT &&
          rv_st_read_f32(st, a, -1, 1, v, NULL) == RVOS_ERR_ARGUMENT);
    CHECK(rv_st_read_f32(st, a, 0, -1, v, NULL) == RVOS_ERR_ARGUMENT &&
          rv_st_read_f32(st, a, 1, INT64_MAX, v, NULL) == RVOS_ERR_ARGUMENT);
    CHECK(z->ndim == 2 && z->dim[0] == 2 && z->dim[1] == 1 && z->count == 2);
    CHECK(!rv_st_read_f32(st, z, 0, 2, v, NULL) && v[0] == 1 && v[1] == -2.5f);
    CHECK(rv_st_find(st, "n")->count == 1 && rv_st_find(st, "n")->type == RV_I64);
    CHECK(rv_st_read_f32(st, rv_st_find(st, "n"), 0, 1, v, NULL) == RVOS_ERR_ARGUMENT);
    CHECK(rv_st_find(st, "e")->count == 0 && rv_st_find(st, "e")->bytes == 0);
    CHECK(rv_st_find(st, "odd")->type == RV_OTHER);
    CHECK(rv_st_read_f32(st, rv_st_find(st, "odd"), 0, 1, v, NULL) == RVOS_ERR_ARGUMENT);
    rv_st_close(&st);
    CHECK(st == NULL);
    rv_st_close(&st);
}

/* Every half against the definition, and BF16. */
static void conversions(void)
{
    static uint16_t all[65536];
    static float out[65536];
    for (int i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    rv_st_floats(RV_F16, (const uint8_t *)all, 65536, out);
    for (int i = 0; i < 65536; i++) {
        int exponent = i >> 10 & 31, mantissa = i & 1023;
        double value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                       : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                      : ldexp(mantissa, -24);
        value = i >> 15 ? -value : value;
        bool same = isnan(value) ? isnan(out[i])
                                 : out[i] == value && !signbit(out[i]) == !signbit(value);
        if (!test_note(CHECK(same), "half %04x", (unsigned)i))
            break;
    }
    rv_st_floats(RV_BF16, (const uint8_t *)all, 65536, out);
    CHECK(out[0x3f80] == 1 && out[0xc020] == -2.5f && out[0x7f80] == INFINITY);
}

struct broken {
    const char *header;
    size_t data_size;
    const char *message; /* a part of it */
};

static const struct broken broken[] = {
    {"", 0, "ends where a brace"},
    {" {}", 0, "does not start with a brace"},
    {"[]", 0, "does not start with a brace"},
    {"{", 0, "ends where the name of a tensor"},
    {"{}x", 0, "padding"},
    {"{}{}", 0, "padding"},
    {"{},", 0, "padding"},
    {"{}", 1, "unused bytes at the end"},
    {"{" T("a", "U8", "[4]", 0, 4) "}", 5, "unused bytes at the end"},
    {"{" T("a", "U8", "[4]", 0, 4) ",}", 4, "the name of a tensor"},
    {"{" T("a", "U8", "[4]", 0, 4), 4, "the end of the list"},
    {"{" T("a", "U8", "[4]", 0, 4) T("b", "U8", "[0]", 4, 4) "}", 4, "a comma"},
    {"{\"a\" 1}", 0, "a colon"},
    {"{\"a\":1}", 0, "the description of a tensor"},
    {"{\"a\":{}}", 0, "\"dtype\""},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "lacks"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "lacks"},
    {"{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "lacks"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0]}}", 0, "lacks"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0,0]}}", 0, "too long"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, "repeated"},
    {"{\"a\":{\"shape\":[0],\"shape\":[0]}}", 0, "repeated"},
    {"{\"a\":{\"data_offsets\":[],\"data_offsets\":[]}}", 0, "repeated"},
    {"{\"a\":{\"kind\":\"U8\"}}", 0, "unknown"},
    {"{\"a\":{\"dtype\":8}}", 0, "the name of a type"},
    {"{\"a\":{\"shape\":\"4\"}}", 0, "a list of sizes"},
    {"{\"a\":{\"shape\":[[4]]}}", 0, "a whole number"},
    {"{\"a\":{\"shape\":[-4]}}", 0, "a whole number"},
    {"{\"a\":{\"shape\":[4.0]}}", 0, "a comma"},
    {"{\"a\":{\"shape\":[04]}}", 0, "a whole number"},
    {"{\"a\":{\"shape\":[1,]}}", 0, "a whole number"},
    {"{\"a\":{\"shape\":[9223372036854775808]}}", 0, "a smaller number"},
    {"{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, "too long"},
    {"{" T("a", "U8", "[4294967296,4294967296]", 0, 0) "}", 0, "too large a shape"},
    {"{" T("a", "F32", "[4611686018427387904]", 0, 0) "}", 0, "what its shape"},
    {"{" T("a", "F32", "[4]", 0, 15) "}", 15, "what its shape"},
    {"{" T("a", "F16", "[4]", 0, 4) "}", 4, "what its shape"},
    {"{" T("a", "F16", "[]", 0, 4) "}", 4, "what its shape"},
    {"{" T("a", "U8", "[4]", 0, 4) "}", 3, "of the data, which has 3"},
    {"{" T("a", "U8", "[0]", 4, 0) "}", 4, "of the data"},
    {"{" T("a", "U8", "[0]", 9, 9) "}", 4, "of the data"},
    {"{" T("a", "U8", "[4]", 9223372036854775803, 9223372036854775807) "}", 4, "of the"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[4]", 2, 6) "}", 6, "overlaps"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[4]", 0, 4) "}", 4, "overlaps"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[0]", 2, 2) "}", 4, "overlaps"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("b", "U8", "[4]", 5, 9) "}", 9, "before it"},
    {"{" T("a", "U8", "[4]", 1, 5) "}", 5, "before it"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("a", "U8", "[4]", 4, 8) "}", 8, "two tensors"},
    {"{" T("a", "U8", "[4]", 0, 4) "," T("\\u0061", "U8", "[1]", 4, 5) "}", 5,
     "two tens"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "two metadata strings"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "two __metadata__"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "a metadata string"},
    {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "a metadata string"},
    {"{\"__metadata__\":[]}", 0, "the metadata object"},
    {"{\"__metadata__\":{\"a\":\"b\"", 0, "the end of the list"},
    {"{\"a", 0, "the end of a string"},
    {"{\"a\\", 0, "escape"},
    {"{\"\\x41\":1}", 0, "escape"},
    {"{\"\\u12\":1}", 0, "escape"},
    {"{\"\\u0000\":1}", 0, "escape"},
    {"{\"\\ud800\":1}", 0, "escape"},
    {"{\"\\ud800\\u0041\":1}", 0, "escape"},
    {"{\"\\udc00\":1}", 0, "escape"},
    {"{\"a\nb\":1}", 0, "UTF-8"},
    {"{\"\x80\":1}", 0, "UTF-8"},
    {"{\"\xc0\x80\":1}", 0, "UTF-8"},
    {"{\"\xe0\x80\x80\":1}", 0, "UTF-8"},
    {"{\"\xed\xa0\x80\":1}", 0, "UTF-8"},
    {"{\"\xf5\x80\x80\x80\":1}", 0, "UTF-8"},
    {"{\"\xf4\x90\x80\x80\":1}", 0, "UTF-8"},
    {"{\"\xe2\x82\":1}", 0, "UTF-8"},
    {"{\"\xe2\x82", 0, "UTF-8"},
};

static void refused(int status, const char *message, const char *what)
{
    struct rv_st *st = (struct rv_st *)err;
    bool ok = CHECK(rv_st_open(&st, path, err, sizeof err) == status);
    ok &= CHECK(st == NULL);
    ok &= CHECK(strstr(err, path) == err);
    ok &= CHECK(strstr(err, message) != NULL);
    ok &= CHECK(!strchr(err, '\n'));
    test_note(ok, "%s: %s", what, err);
    if (st && !ok)
        exit(test_done());
}

static void broken_headers(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        write_text(broken[i].header, broken[i].data_size);
        refused(RVOS_ERR_FORMAT, broken[i].message, broken[i].header);
    }
    write_file("{\0}", 3, -1, "", 0);
    refused(RVOS_ERR_FORMAT, "byte 1", "a NUL in the header");
    write_file("{\"\\u\0\":1}", 9, -1, "", 0);
    refused(RVOS_ERR_FORMAT, "escape", "a NUL in an escape");
    write_text("{\"a\\u000ab\":{\"kind\":0}}", 0);
    refused(RVOS_ERR_FORMAT, "\"a?b\"", "a line break in a name");
}

static void broken_lengths(void)
{
    const char *header = "{" T("a", "U8", "[4]", 0, 4) "}";
    const int64_t lengths[] = {(int64_t)strlen(header) + 5, INT32_MAX, INT64_MAX,
                               INT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_file(header, strlen(header), lengths[i], "0123", 4);
        refused(RVOS_ERR_FORMAT, "more than the file has", "long header");
    }
    write_file("\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, "", 0);
    refused(RVOS_ERR_FORMAT, "ends where a brace", "header of no bytes");
    write_file(header, strlen(header), -1, "0123", 4);
    for (off_t size = (off_t)strlen(header) + 11; size >= 0; size--) {
        CHECK(truncate(path, size) == 0);
        refused(RVOS_ERR_FORMAT, "", "truncated");
    }
    refused(RVOS_ERR_FORMAT, "empty", "empty");
    write_file(header, strlen(header), ((int64_t)16 << 20) + 1, "", 0);
    CHECK(truncate(path, (off_t)17 << 20) == 0);
    refused(RVOS_ERR_FORMAT, "larger than", "header above 16 MiB");
}

static void no_files(void)
{
    unlink(path);
    refused(RVOS_ERR_NOT_FOUND, "cannot open it", "no such file");
    CHECK(mkdir(path, 0700) == 0);
    refused(RVOS_ERR_IO, "directory", "directory");
    rmdir(path);
    CHECK(mkfifo(path, 0600) == 0);
    refused(RVOS_ERR_IO, "regular", "FIFO");
    unlink(path);
    write_text("{}", 0);
    CHECK(chmod(path, 0) == 0);
    if (access(path, R_OK)) /* root can read it anyway */
        refused(RVOS_ERR_IO, "cannot open it", "unreadable");
    struct rv_st *st;
    CHECK(rv_st_open(&st, "/nowhere/at/all", NULL, 0) == RVOS_ERR_NOT_FOUND);
    char tiny[4] = "xyz";
    CHECK(rv_st_open(&st, "/nowhere/at/all", tiny, sizeof tiny) == RVOS_ERR_NOT_FOUND);
    CHECK(!strcmp(tiny, "/no"));
    chmod(path, 0600);
    CHECK(rv_st_open(&st, path, NULL, 0) == 0 && rv_st_count(st) == 0);
    CHECK(!rv_st_find(st, "a") && !rv_st_meta(st, "a"));
    rv_st_close(&st);
}

/* A literal, which may hold zeroes, and its size. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* Files that people often have in place of a model. */
static void mistaken_files(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } files[] = {
        {BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n"),
         "is a git-lfs pointer, not the file itself: run \"git lfs pull\""},
        {BYTES("<!DOCTYPE html><html></html>"), "is a web page"},
        {BYTES("\xef\xbb\xbf \n<HTML lang=en>"), "is a web page"},
        {BYTES("PK\3\4\24\0\0\10archive/data.pkl"), "is a zip file"},
        {BYTES("\x80\2}q\0."),
         "is a PyTorch checkpoint: convert it with data/convert.py"},
        {BYTES("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19."), "data/convert.py"},
        {BYTES("\x1f\x8b\10\0\0\0\0\0\0\3"), "is a compressed file"},
        {BYTES("\xfd"
               "7zXZ\0\0\4"),
         "is a compressed file"},
        {BYTES("some text that nobody knows"), "no .safetensors file"},
        {BYTES("abc"), "wrong size"},
        {BYTES(""), "is empty"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(path, "wb");
        fwrite(files[i].bytes, 1, files[i].size, file);
        fclose(file);
        refused(RVOS_ERR_FORMAT, files[i].message, files[i].message);
    }
}

/* More tensors than the first lists hold. */
static void many(void)
{
    enum { COUNT = 3000 };
    static char header[COUNT * 80];
    size_t n = 0;
    header[n++] = '{';
    for (int i = 0; i < COUNT; i++) {
        n += (size_t)sprintf(header + n,
                             "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],"
                             "\"data_offsets\":[%d,%d]}",
                             i ? "," : "", i, COUNT - 1 - i, COUNT - i);
    }
    header[n++] = '}';
    struct rv_st *st;
    static uint8_t data[COUNT];
    for (int i = 0; i < COUNT; i++)
        data[i] = (uint8_t)i;
    write_file(header, n, -1, data, COUNT);
    if (!CHECK(rv_st_open(&st, path, err, sizeof err) == 0 && rv_st_count(st) == COUNT))
        return;
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        sprintf(name, "t%d", i);
        const struct rv_st_tensor *t = rv_st_find(st, name);
        uint8_t byte;
        CHECK(t && !rv_st_read(st, t, 0, 1, &byte, NULL) &&
              byte == (uint8_t)(COUNT - 1 - i));
    }
    rv_st_close(&st);
}

int main(void)
{
    snprintf(path, sizeof path, "%s/a.safetensors", test_folder());
    good_file();
    conversions();
    broken_headers();
    broken_lengths();
    no_files();
    mistaken_files();
    many();
    return test_done();
}
