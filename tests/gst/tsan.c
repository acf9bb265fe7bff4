/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells ThreadSanitizer about GLib's locks and GStreamer's references. These libraries
 * are not instrumented, so without this ThreadSanitizer reports each pair of accesses
 * under a GMutex as a race. These functions override the libraries' own and call them. */
#include <dlfcn.h>
#include <gst/gst.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define PLAIN __attribute__((no_sanitize_thread, visibility("default")))
/* The next definition of the current function. */
#define FIND(name)                                                                       \
    static __typeof__(&name) next;                                                       \
    if (!next)                                                                           \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

PLAIN void(g_mutex_lock)(GMutex *mutex)
{
    FIND(g_mutex_lock);
    next(mutex);
    __tsan_acquire(mutex);
}

PLAIN void(g_mutex_unlock)(GMutex *mutex)
{
    FIND(g_mutex_unlock);
    __tsan_release(mutex);
    next(mutex);
}

PLAIN gboolean(g_mutex_trylock)(GMutex *mutex)
{
    gboolean got;

    FIND(g_mutex_trylock);
    got = next(mutex);
    if (got)
        __tsan_acquire(mutex);
    return got;
}

PLAIN void(g_rec_mutex_lock)(GRecMutex *mutex)
{
    FIND(g_rec_mutex_lock);
    next(mutex);
    __tsan_acquire(mutex);
}

PLAIN void(g_rec_mutex_unlock)(GRecMutex *mutex)
{
    FIND(g_rec_mutex_unlock);
    __tsan_release(mutex);
    next(mutex);
}

PLAIN gboolean(g_rec_mutex_trylock)(GRecMutex *mutex)
{
    gboolean got;

    FIND(g_rec_mutex_trylock);
    got = next(mutex);
    if (got)
        __tsan_acquire(mutex);
    return got;
}

PLAIN void(g_cond_wait)(GCond *cond, GMutex *mutex)
{
    FIND(g_cond_wait);
    __tsan_release(mutex);
    next(cond, mutex);
    __tsan_acquire(mutex);
}

PLAIN gboolean(g_cond_wait_until)(GCond *cond, GMutex *mutex, gint64 time)
{
    gboolean signalled;

    FIND(g_cond_wait_until);
    __tsan_release(mutex);
    signalled = next(cond, mutex, time);
    __tsan_acquire(mutex);
    return signalled;
}

PLAIN gboolean(g_once_init_enter)(volatile void *location)
{
    gboolean first;

    FIND(g_once_init_enter);
    first = next(location);
    __tsan_acquire((void *)location);
    return first;
}

PLAIN void(g_once_init_leave)(volatile void *location, gsize result)
{
    FIND(g_once_init_leave);
    __tsan_release((void *)location);
    next(location, result);
}

/* The last reference is dropped after all others, so its thread sees their accesses. */

PLAIN void(gst_mini_object_unref)(GstMiniObject *object)
{
    FIND(gst_mini_object_unref);
    __tsan_release(object);
    __tsan_acquire(object);
    next(object);
}

PLAIN void(gst_object_unref)(gpointer object)
{
    FIND(gst_object_unref);
    __tsan_release(object);
    __tsan_acquire(object);
    next(object);
}

PLAIN void(g_object_unref)(gpointer object)
{
    FIND(g_object_unref);
    __tsan_release(object);
    __tsan_acquire(object);
    next(object);
}
