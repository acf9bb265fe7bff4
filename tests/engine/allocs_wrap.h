/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocs_wrap.h - counts the engine's calls of the allocator, pthread_create and pread,
 * and lets chosen calls fail. For a program that is linked with ld --wrap. */
#ifndef RV_ALLOCS_WRAP_H
#define RV_ALLOCS_WRAP_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long ours, live, everyones; /* calls, blocks, calls of all libraries */
static atomic_long fail_at;               /* number of the call that fails; 0: none */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);

/* Counts a call; false: this call must fail. */
static bool granted(void)
{
    return atomic_fetch_add(&ours, 1) + 1 != atomic_load(&fail_at);
}

static void *counted(void *block)
{
    atomic_fetch_add(&live, block != NULL);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return granted() ? counted(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return granted() ? counted(__real_calloc(n, size)) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (!granted())
        return NULL;
    return old ? __real_realloc(old, size) : counted(__real_malloc(size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return granted() ? counted(__real_aligned_alloc(align, size)) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return granted() ? counted(__real_strdup(text)) : NULL;
}

void __wrap_free(void *block)
{
    atomic_fetch_sub(&live, block != NULL);
    __real_free(block);
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALL 1
/* glibc lets a program replace the allocator, so all libraries' calls are seen. */
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t n, size_t size),
    *__libc_realloc(void *old, size_t size), *__libc_memalign(size_t align, size_t size);
#undef malloc
void *(malloc)(size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_malloc(size);
}
void *(calloc)(size_t n, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_calloc(n, size);
}
void *(realloc)(void *old, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_realloc(old, size);
}
void *(aligned_alloc)(size_t align, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    return __libc_memalign(align, size);
}
int posix_memalign(void **out, size_t align, size_t size)
{
    atomic_fetch_add(&everyones, 1);
    *out = __libc_memalign(align, size);
    return *out ? 0 : 12; /* ENOMEM */
}
#endif

/* Threads and reads: how many there were; the first of those that fail, and how many. */
struct calls {
    atomic_long made, fail_from, fail_count;
};
static struct calls threads, reads;

static bool call_fails(struct calls *c)
{
    long n = atomic_fetch_add(&c->made, 1) + 1, from = atomic_load(&c->fail_from);

    return from && n >= from && n < from + atomic_load(&c->fail_count);
}

typedef void *thread_main(void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          thread_main *start, void *arg);
ssize_t __real_pread64(int fd, void *out, size_t n, off_t at);
ssize_t __real_pread(int fd, void *out, size_t n, off_t at);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          thread_main *start, void *arg)
{
    return call_fails(&threads) ? EAGAIN
                                : __real_pthread_create(thread, attr, start, arg);
}

/* The engine calls one of these two, depending on the size of off_t. */
ssize_t __wrap_pread64(int fd, void *out, size_t n, off_t at)
{
    if (!call_fails(&reads))
        return __real_pread64(fd, out, n, at);
    errno = EIO;
    return -1;
}

ssize_t __wrap_pread(int fd, void *out, size_t n, off_t at)
{
    if (!call_fails(&reads))
        return __real_pread(fd, out, n, at);
    errno = EIO;
    return -1;
}

#endif
