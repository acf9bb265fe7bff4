/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.c - tests memory that plans share, with the real driver.c on the fake driver,
 * which checks all addresses strictly. cudaMalloc is malloc here. */
#include "device/scratch.h"

#include <string.h>

#include "fakedriver/fakecuda.h"
#include "../test.h"

#define MB ((size_t)1 << 20)

static struct {
    int fail, live; /* of what stands for cudaMalloc */
} plain;

int rv_cuda_alloc(const rvos_device *dev, void **out, size_t size)
{
    (void)dev;
    *out = plain.fail ? NULL : malloc(size);
    plain.live += *out != NULL;
    return *out ? 0 : RVOS_ERR_MEMORY;
}

void rv_cuda_free(void *p)
{
    plain.live -= p != NULL;
    free(p);
}

static void expect(size_t memory, size_t reserved)
{
    fake_cuda_counts c = fake_cuda_get();

    test_note(CHECK(c.live_memory == (long)memory && c.live_reserved == (long)reserved),
              "%ld bytes and %ld reserved", c.live_memory, c.live_reserved);
    test_note(CHECK(c.misuses == 0), "%s", c.misuse);
}

static bool is_all(const char *p, char value, size_t n)
{
    return p[0] == value && !memcmp(p, p + 1, n - 1);
}

/* Three sizes, each with the pieces of the one before and one more. They may end in any
 * order; the others keep their memory. */
static void pieces(const rvos_device *dev, int first, int second, int third)
{
    struct rv_scratch s[3];
    const char *at[3];

    CHECK(rv_scratch_alloc(dev, 3 * MB, true, &s[0]) == 0);
    expect(4 * MB, 4 * MB);
    memset(s[0].at, 1, 4 * MB);
    CHECK(rv_scratch_alloc(dev, 7 * MB, true, &s[1]) == 0);
    expect(12 * MB, 12 * MB);
    memset(s[1].at, 2, 8 * MB);
    for (int i = 0; i < 2; i++)
        at[i] = s[i].at;
    CHECK(rv_scratch_share(dev, &s[1], &s[0]) == 0);
    expect(8 * MB, 12 * MB);
    CHECK(s[0].at == at[0] && s[1].at == at[1] && s[1].bytes == 8 * MB);
    CHECK(is_all(s[1].at, 1, 4 * MB));
    memset(s[1].at, 3, 8 * MB);
    CHECK(is_all(s[0].at, 3, 4 * MB));
    CHECK(rv_scratch_alloc(dev, 16 * MB, true, &s[2]) == 0);
    at[2] = s[2].at;
    CHECK(rv_scratch_share(dev, &s[2], &s[1]) == 0);
    expect(16 * MB, 28 * MB);
    CHECK(s[2].at == at[2] && s[2].pieces == 3 && is_all(s[2].at, 3, 8 * MB));
    memset(s[2].at, 4, 16 * MB);
    CHECK(is_all(s[0].at, 4, 4 * MB) && is_all(s[1].at, 4, 8 * MB));
    rv_scratch_free(dev, &s[first]);
    CHECK(is_all(s[second].at, 4, s[second].bytes));
    rv_scratch_free(dev, &s[second]);
    CHECK(is_all(s[third].at, 4, s[third].bytes));
    rv_scratch_free(dev, &s[third]);
    expect(0, 0);
}

/* A failed share changes nothing. */
static void apart(const rvos_device *dev)
{
    struct rv_scratch a, b, c;

    CHECK(rv_scratch_alloc(dev, 5 * MB, false, &a) == 0);
    CHECK(plain.live == 1 && a.pieces == 0 && a.bytes == 5 * MB);
    CHECK(rv_scratch_alloc(dev, 9 * MB, true, &b) == 0);
    CHECK(rv_scratch_alloc(dev, 10 * MB, true, &c) == 0);
    memset(b.at, 1, 10 * MB);
    memset(c.at, 2, 10 * MB);
    CHECK(rv_scratch_share(dev, &b, &a) == 0);
    CHECK(rv_scratch_share(dev, &a, &b) == 0);
    CHECK(rv_scratch_share(dev, &c, &b) == 0); /* both are 10 MB */
    CHECK(is_all(b.at, 1, 10 * MB) && is_all(c.at, 2, 10 * MB));
    expect(20 * MB, 20 * MB);
    rv_scratch_free(dev, &a);
    rv_scratch_free(dev, &b);
    rv_scratch_free(dev, &c);
    CHECK(plain.live == 0);
    expect(0, 0);
}

/* Lets every driver call that can fail do so. */
static void refused(const rvos_device *dev)
{
    static const char *const names[] = {"cuMemAddressReserve", "cuMemCreate", "cuMemMap",
                                        "cuMemSetAccess", "cuMemRetainAllocationHandle"};
    int fallbacks = 0, failures = 0;

    for (int i = 0; i < 5 * 5; i++) {
        struct rv_scratch a, b;
        int ret;

        fake_cuda_fail(names[i / 5], 2, i % 5);
        CHECK(rv_scratch_alloc(dev, 2 * MB, true, &a) == 0);
        CHECK(rv_scratch_alloc(dev, 4 * MB, true, &b) == 0);
        fallbacks += !a.pieces + !b.pieces;
        ret = rv_scratch_share(dev, &b, &a);
        fake_cuda_clear();
        CHECK(ret == 0 || ret == RVOS_ERR_MEMORY);
        failures += ret != 0;
        CHECK((ret != 0) == (b.at == NULL));
        memset(a.at, 1, 2 * MB);
        rv_scratch_free(dev, &b);
        CHECK(is_all(a.at, 1, 2 * MB));
        rv_scratch_free(dev, &a);
        CHECK(plain.live == 0);
        expect(0, 0);
    }
    CHECK(fallbacks >= 8 && failures >= 4);
    fake_cuda_fail("cuMemCreate", 2, 0);
    plain.fail = 1;
    {
        struct rv_scratch a;

        CHECK(rv_scratch_alloc(dev, 2 * MB, true, &a) == RVOS_ERR_MEMORY && !a.at);
        rv_scratch_free(dev, &a);
    }
    plain.fail = 0;
    fake_cuda_clear();
    expect(0, 0);
}

static bool open_driver(rvos_device *dev, struct cuda_device *cuda)
{
    dev->priv = cuda;
    return CHECK(rv_driver_open(dev, 0, NULL, &cuda->driver) == 0);
}

int main(void)
{
    static struct cuda_device cuda;
    static rvos_device dev;

    setenv("FAKE_CUDA_VIRTUAL", "0", 1);
    if (!open_driver(&dev, &cuda))
        return test_done();
    CHECK(rv_driver_granularity(cuda.driver) == 0);
    rv_driver_close(cuda.driver);
    unsetenv("FAKE_CUDA_VIRTUAL");
    if (!open_driver(&dev, &cuda))
        return test_done();
    CHECK(rv_driver_granularity(cuda.driver) == 2 * MB);
    pieces(&dev, 0, 1, 2);
    pieces(&dev, 2, 1, 0);
    pieces(&dev, 1, 2, 0);
    apart(&dev);
    refused(&dev);
    rv_driver_close(cuda.driver);
    CHECK(fake_cuda_get().live_contexts == 0);
    return test_done();
}
