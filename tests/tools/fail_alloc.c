/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fail_alloc.c - a preload library that lets one allocation of a program fail.
 *
 *     RVOS_FAIL_AT=K RVOS_ALLOC_LOG=FILE LD_PRELOAD=this program ...
 *
 * Only the K-th allocation (from 1) of the program and of the libraries below fails. FILE
 * gets the number of allocations. Other libraries, such as GLib, document that they end
 * the program without memory, so theirs do not fail. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size), *__libc_calloc(size_t n, size_t size),
    *__libc_realloc(void *old, size_t size), *__libc_memalign(size_t align, size_t size);

static const char *const watched[] = {"librvos", "libpng", "libjpeg", "libjansson",
                                      "libc.so"};

static struct {
    uintptr_t begin, end;
} range[16];
static int ranges;
static atomic_long calls;
static long fail_at;

static int add_range(struct dl_phdr_info *info, size_t size, void *opaque)
{
    bool *program = opaque;
    bool wanted = *program; /* the first object */

    (void)size;
    *program = false;
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        wanted |= strstr(info->dlpi_name, watched[i]) != NULL;
    for (int i = 0; i < info->dlpi_phnum && wanted && ranges < 16; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        range[ranges].begin = info->dlpi_addr + p->p_vaddr;
        range[ranges].end = range[ranges].begin + p->p_memsz;
        ranges++;
    }
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *at = getenv("RVOS_FAIL_AT");
    bool program = true;

    dl_iterate_phdr(add_range, &program);
    fail_at = at ? atol(at) : 0;
}

__attribute__((destructor)) static void finish(void)
{
    const char *path = getenv("RVOS_ALLOC_LOG");
    FILE *out = path ? fopen(path, "w") : NULL;

    if (out) {
        fprintf(out, "%ld\n", atomic_load(&calls));
        fclose(out);
    }
}

static bool granted(const void *caller)
{
    for (int i = 0; i < ranges; i++)
        if ((uintptr_t)caller >= range[i].begin && (uintptr_t)caller < range[i].end) {
            if (atomic_fetch_add(&calls, 1) + 1 != fail_at)
                return true;
            errno = ENOMEM;
            return false;
        }
    return true;
}

#pragma GCC visibility push(default) /* so that they override the libraries' own */

void *malloc(size_t size)
{
    return granted(__builtin_return_address(0)) ? __libc_malloc(size) : NULL;
}

void *calloc(size_t n, size_t size)
{
    return granted(__builtin_return_address(0)) ? __libc_calloc(n, size) : NULL;
}

void *realloc(void *old, size_t size)
{
    return granted(__builtin_return_address(0)) ? __libc_realloc(old, size) : NULL;
}

void *aligned_alloc(size_t align, size_t size)
{
    return granted(__builtin_return_address(0)) ? __libc_memalign(align, size) : NULL;
}

int posix_memalign(void **out, size_t align, size_t size)
{
    if (!granted(__builtin_return_address(0)))
        return ENOMEM;
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}
