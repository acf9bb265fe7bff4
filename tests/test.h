/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test.h - shared by the C tests. A test is a program: 0 passed, 1 failed, 77 skipped.
 * One file per program includes it, so it may hold state. */
#ifndef RV_TEST_H
#define RV_TEST_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sanitized.h"

static _Atomic int test_checks, test_failures; /* threads may check, too */

/* Returns `ok`; if false, prints the place. After 20 failures it only counts. */
static inline bool test_check(bool ok, const char *file, int line, const char *what)
{
    test_checks++;
    if (!ok && ++test_failures <= 20)
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    return ok;
}

static inline bool test_near(double a, double b, double tolerance, const char *file,
                             int line, const char *what)
{
    bool ok = fabs(a - b) <= tolerance || a == b; /* a NaN fails, infinities may match */
    if (!test_check(ok, file, line, what) && test_failures <= 20)
        fprintf(stderr, "    %.9g against %.9g, tolerance %.3g\n", a, b, tolerance);
    return ok;
}

/* Both return whether the check held, so that a loop can stop at its first failure. */
#define CHECK(expr) test_check((expr), __FILE__, __LINE__, #expr)
#define CHECK_NEAR(a, b, tolerance)                                                      \
    test_near((a), (b), (tolerance), __FILE__, __LINE__, #a " near " #b)

/* More about the current case; printed only if `ok` is false. */
static inline bool test_note(bool ok, const char *format, ...)
{
    if (!ok && test_failures <= 20) {
        va_list args;
        va_start(args, format);
        fputs("    ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
    }
    return ok;
}

/* Seeded: the same numbers on every machine (splitmix64). */
static inline uint64_t test_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int test_random_int(uint64_t *seed, int low, int high) /* both included */
{
    return low + (int)(test_random(seed) % (uint64_t)((int64_t)high - low + 1));
}

static inline float test_random_float(uint64_t *seed, float low, float high)
{
    return low + (high - low) * (float)(test_random(seed) >> 40) * 0x1p-24f;
}

static char test_folder_path[] = "/tmp/rvos-test-XXXXXX";

static inline void test_folder_remove(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", test_folder_path);
    if (system(command))
        fprintf(stderr, "%s is left\n", test_folder_path);
}

/* Makes the test's own folder; it goes with all in it when the test ends. Call it once.
 */
static inline const char *test_folder(void)
{
    if (!mkdtemp(test_folder_path) || atexit(test_folder_remove))
        exit(1);
    return test_folder_path;
}

/* return test_done(); at the end of main. A test that checked nothing has failed. */
static inline int test_done(void)
{
    fprintf(stderr, "%d checks, %d failed\n", test_checks, test_failures);
    return test_failures || !test_checks ? 1 : 0;
}

/* return test_skip("why"); where the test cannot run here. */
static inline int test_skip(const char *why)
{
    fprintf(stderr, "skipped: %s\n", why);
    return 77;
}

#endif /* RV_TEST_H */
