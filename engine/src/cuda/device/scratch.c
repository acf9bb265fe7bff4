/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scratch.h"

static struct rv_driver *driver_of(const rvos_device *dev)
{
    return ((const struct cuda_device *)dev->priv)->driver;
}

/* Maps one more piece, which `s` then owns; on failure it is released. */
static bool append_piece(struct rv_driver *d, struct rv_scratch *s, uint64_t memory,
                         size_t bytes)
{
    if (!rv_driver_map(d, s->at + s->bytes, bytes, memory)) {
        rv_driver_release(d, memory);
        return false;
    }
    s->piece[s->pieces].memory = memory;
    s->piece[s->pieces++].bytes = bytes;
    s->bytes += bytes;
    return true;
}

static bool append_new(struct rv_driver *d, struct rv_scratch *s, size_t bytes)
{
    uint64_t memory;

    return rv_driver_new_memory(d, bytes, &memory) && append_piece(d, s, memory, bytes);
}

static void unmap(struct rv_driver *d, struct rv_scratch *s)
{
    char *at = s->at;

    for (int i = 0; i < s->pieces; i++) {
        rv_driver_unmap(d, at, s->piece[i].bytes);
        rv_driver_release(d, s->piece[i].memory);
        at += s->piece[i].bytes;
    }
    s->pieces = 0;
    s->bytes = 0;
}

int rv_scratch_alloc(const rvos_device *dev, size_t bytes, bool shareable,
                     struct rv_scratch *out)
{
    struct rv_driver *d = driver_of(dev);
    size_t unit = shareable ? rv_driver_granularity(d) : 0, rounded;
    int ret;

    *out = (struct rv_scratch){0};
    if (unit) {
        rounded = (bytes + unit - 1) / unit * unit;
        if (rv_driver_reserve(d, rounded, &out->at)) {
            if (append_new(d, out, rounded))
                return 0;
            rv_driver_unreserve(d, out->at, rounded);
        }
        /* The reason does not matter: if memory ran out, the next call says so. */
    }
    ret = rv_cuda_alloc(dev, (void **)&out->at, bytes);
    out->bytes = ret ? 0 : bytes;
    return ret;
}

/* Plans only ever grow, so `with` is never larger. A mapped piece cannot be split. */
bool rv_scratch_shares(const struct rv_scratch *s, const struct rv_scratch *with)
{
    return s->pieces && with->pieces && with->pieces != RV_PIECES &&
           with->bytes < s->bytes;
}

int rv_scratch_share(const rvos_device *dev, struct rv_scratch *s,
                     const struct rv_scratch *with)
{
    struct rv_driver *d = driver_of(dev);
    size_t bytes = s->bytes;
    bool good = true;

    if (!rv_scratch_shares(s, with))
        return 0;
    unmap(d, s);
    for (int i = 0; i < with->pieces && good; i++) {
        uint64_t memory;

        good = rv_driver_retain(d, with->at + s->bytes, with->piece[i].memory, &memory) &&
               append_piece(d, s, memory, with->piece[i].bytes);
    }
    if (good && append_new(d, s, bytes - s->bytes))
        return 0;
    unmap(d, s);
    rv_driver_unreserve(d, s->at, bytes);
    *s = (struct rv_scratch){0};
    rv_log(dev, RVOS_LOG_ERROR, "cuda: no memory for %zu bytes of a larger plan", bytes);
    return RVOS_ERR_MEMORY;
}

void rv_scratch_free(const rvos_device *dev, struct rv_scratch *s)
{
    struct rv_driver *d = driver_of(dev);
    size_t bytes = s->bytes;

    if (s->pieces) {
        unmap(d, s);
        rv_driver_unreserve(d, s->at, bytes);
    } else {
        rv_cuda_free(s->at);
    }
    *s = (struct rv_scratch){0};
}
